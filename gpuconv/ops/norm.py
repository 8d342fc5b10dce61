"""Normalisation and its gradients, as functions."""

from math import inf, isfinite, prod
from typing import Any

import numpy as np

from ..errors import OptionError, ShapeError
from ..kernels.batch_norm import op as training
from ..kernels.batch_norm_inference import op as inference
from ..kernels.lrn import op as local
from ..shapes import Shape, integer
from ._call import call, float_array, numerics

Arrays3 = tuple[np.ndarray, np.ndarray, np.ndarray]


def _number(
    op: str, name: str, value: Any, low: float, high: float = inf, above: bool = False
) -> float:
    """``value`` as a finite float in [low, high], or (low, high] if ``above``; else OptionError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{op}: {name} must be a number, got {value!r}") from None
    if not isfinite(number) or not low <= number <= high or (above and number == low):
        limit = f"> {low:g}" if above else f">= {low:g}"
        most = "" if high == inf else f" and <= {high:g}"
        raise OptionError(f"{op}: {name} must be {limit}{most} and finite, got {value!r}")
    return number


def _flat(op: str, shape: Shape) -> tuple[int, int, int]:
    """(N, C, H, W), (N, C) and the like as (N, C, S)."""
    n, c, *plane = shape
    if min(c, *plane, 1) < 1:
        raise ShapeError(f"{op}: the input has shape {shape}; only the batch may be empty")
    return n, c, prod(plane)


def _batch_problem(
    op: str, x: np.ndarray, eps: Any, momentum: Any = 0.1
) -> training.BatchNormProblem:
    numeric = numerics(float_array(op, "x", x, (2, 4)))
    epsilon = _number(op, "eps", eps, 0, above=True)
    share = _number(op, "momentum", momentum, 0, 1)
    n, c, s = _flat(op, x.shape)
    return training.BatchNormProblem(n, c, s, epsilon, share, **numeric)


def _same_shape(op: str, dy: np.ndarray, x: np.ndarray) -> None:
    float_array(op, "dy", dy)
    if dy.shape != x.shape:
        raise ShapeError(f"{op}: dy has shape {dy.shape}, expected {x.shape} as x has it")


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    algorithm: str | None = None,
) -> Arrays3:
    """Batch normalisation in training, with the batch's own mean and variance.

    Ioffe and Szegedy (2015), algorithm 1; returns y, the mean and 1 / sqrt(variance + eps). The
    running arrays, when given, become (1 - momentum) * running + momentum * batch in place; the
    variance is biased for normalising and unbiased for running, as in
    torch.nn.functional.batch_norm. An empty batch changes neither. Shapes: x and y (N, C, H, W)
    or (N, C), all else (C,). Raises ShapeError, also for one value per channel, OptionError,
    DtypeError, DeviceError or KernelError.
    """
    problem = _batch_problem("batch_norm", x, eps, momentum)
    if problem.n * problem.s == 1:
        raise ShapeError(
            f"batch_norm: x has shape {x.shape}, one value per channel, and no variance to train "
            "on; expected at least 2: use a larger batch, or batch_norm_inference"
        )
    running = running_mean, running_var
    if (running_mean is None) != (running_var is None):
        raise OptionError("batch_norm: give running_mean and running_var, or neither")
    flat = x.reshape(problem.spec("x")[0])
    made = call(
        training.batch_norm, problem, flat, weight, bias, updates=running, algorithm=algorithm
    )
    return made[0].reshape(x.shape), made[1], made[2]


def batch_norm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    invstd: np.ndarray,
    *,
    algorithm: str | None = None,
) -> Arrays3:
    """Gradients of batch_norm with respect to x, weight and bias.

    Ioffe and Szegedy (2015), section 3; ``mean`` and ``invstd`` are what batch_norm returned.
    Shapes: dy, x and dx (N, C, H, W) or (N, C), all else (C,). Raises as ``batch_norm``.
    """
    op = "batch_norm_backward"
    problem = _batch_problem(op, x, 1)
    _same_shape(op, dy, x)
    flat = (a.reshape(problem.spec("x")[0]) for a in (dy, x))
    rest = weight, mean, invstd
    made = call(training.batch_norm_backward, problem, *flat, *rest, algorithm=algorithm)
    return made[0].reshape(x.shape), made[1], made[2]


def batch_norm_inference(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    *,
    eps: float = 1e-5,
    algorithm: str | None = None,
) -> np.ndarray:
    """(x - running_mean) / sqrt(running_var + eps) * weight + bias.

    Shapes: x and result (N, C, H, W) or (N, C), all else (C,). Raises as ``batch_norm``, but
    takes a single value per channel.
    """
    problem = _batch_problem("batch_norm_inference", x, eps)
    flat, rest = x.reshape(problem.spec("x")[0]), (weight, bias, running_mean, running_var)
    y = call(inference.batch_norm_inference, problem, flat, *rest, algorithm=algorithm)
    return y.reshape(x.shape)


def batch_norm_inference_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    *,
    eps: float = 1e-5,
    algorithm: str | None = None,
) -> Arrays3:
    """Gradients of batch_norm_inference (a frozen layer) with respect to x, weight and bias.

    Shapes: dy, x and dx (N, C, H, W) or (N, C), all else (C,). Raises as ``batch_norm_inference``.
    """
    op = "batch_norm_inference_backward"
    problem = _batch_problem(op, x, eps)
    _same_shape(op, dy, x)
    flat = (a.reshape(problem.spec("x")[0]) for a in (dy, x))
    rest = weight, running_mean, running_var
    made = call(inference.batch_norm_inference_backward, problem, *flat, *rest, algorithm=algorithm)
    return made[0].reshape(x.shape), made[1], made[2]


def _local_problem(
    op: str, x: np.ndarray, size: Any, alpha: Any, beta: Any, k: Any, alpha_per: str
) -> local.LrnProblem:
    numeric = numerics(float_array(op, "x", x, (3, 4)))
    if alpha_per not in ("size", "element"):
        raise OptionError(f"{op}: alpha_per must be 'size' or 'element', got {alpha_per!r}")
    count, factor = integer(size, f"{op}: size", 1), _number(op, "alpha", alpha, 0)
    factor = factor / count if alpha_per == "size" else factor
    power, base = _number(op, "beta", beta, 0), _number(op, "k", k, 0, above=True)
    n, c, s = _flat(op, x.shape)
    return local.LrnProblem(n, c, s, count, factor, power, base, **numeric)


def lrn(
    x: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    alpha_per: str = "size",
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """x / (k + alpha / size * sum of x^2 over ``size`` neighbouring channels)^beta.

    Krizhevsky, Sutskever and Hinton (2012), section 3.3, as torch.nn.functional.
    local_response_norm: channels c - size // 2 .. c + (size - 1) // 2. ``alpha_per="element"``
    does not divide alpha, as the paper has it. Shapes: x and result (N, C, H, W) or (N, C, W).
    Raises ShapeError, OptionError, DtypeError, DeviceError or KernelError.
    """
    problem = _local_problem("lrn", x, size, alpha, beta, k, alpha_per)
    y = call(local.lrn, problem, x.reshape(problem.spec("x")[0]), algorithm=algorithm)
    return y.reshape(x.shape)


def lrn_backward(
    dy: np.ndarray,
    x: np.ndarray,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    alpha_per: str = "size",
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of lrn with respect to x.

    Shapes: dy, x and result (N, C, H, W) or (N, C, W). Raises as ``lrn``.
    """
    problem = _local_problem("lrn_backward", x, size, alpha, beta, k, alpha_per)
    _same_shape("lrn_backward", dy, x)
    flat = (a.reshape(problem.spec("x")[0]) for a in (dy, x))
    dx = call(local.lrn_backward, problem, *flat, algorithm=algorithm)
    return dx.reshape(x.shape)
