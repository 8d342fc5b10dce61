"""Fully connected layers and their gradients, as functions."""

import numpy as np

from ..errors import OptionError, ShapeError
from ..kernels.linear import op as declared
from ._call import call, dtype_name, float_array, numerics
from .update_sgd import require_sgd


def _problem(
    op: str, rows: np.ndarray, features: int, weight: np.ndarray, side: int, epilogue: str = ""
) -> declared.LinearProblem:
    if epilogue not in ("", "relu"):
        raise OptionError(f"{op}: unknown epilogue {epilogue!r}; expected '' or 'relu'")
    if features != weight.shape[side]:
        raise ShapeError(
            f"{op}: {'input' if side else 'dy'} has {features} features but weight "
            f"{weight.shape} expects {weight.shape[side]}"
        )
    o, i = weight.shape
    return declared.LinearProblem(
        len(rows), i, o, **numerics(dtype_name(rows.dtype)), epilogue=epilogue
    )


def linear(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    epilogue: str = "",
    algorithm: str | None = None,
) -> np.ndarray:
    """x @ w.T + b, as torch.nn.functional.linear.

    Shapes: x (N, I), w (O, I), b (O,), result (N, O); ``epilogue`` "relu" fuses max(y, 0). Raises
    ShapeError, OptionError, DtypeError, DeviceError or KernelError.
    """
    float_array("linear", "x", x, 2)
    float_array("linear", "weight", w, 2)
    problem = _problem("linear", x, x.shape[1], w, 1, epilogue)
    return call(declared.linear, problem, x, w, b, algorithm=algorithm)


def linear_input(dy: np.ndarray, w: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Gradient of linear with respect to its input: dy @ w.

    Shapes: dy (N, O), w (O, I), result (N, I). Raises as ``linear``.
    """
    float_array("linear_input", "dy", dy, 2)
    float_array("linear_input", "weight", w, 2)
    problem = _problem("linear_input", dy, dy.shape[1], w, 0)
    return call(declared.linear_input, problem, dy, w, algorithm=algorithm)


def linear_weight(
    x: np.ndarray, dy: np.ndarray, *, out: np.ndarray | None = None, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of linear with respect to its weight: dy.T @ x.

    Shapes: x (N, I), dy (N, O), result (O, I), which is ``out`` if that is given: contiguous, and
    no input. Raises as ``linear``.
    """
    float_array("linear_weight", "x", x, 2)
    float_array("linear_weight", "dy", dy, 2)
    problem = declared.LinearProblem(
        len(x), x.shape[1], dy.shape[1], **numerics(dtype_name(x.dtype))
    )
    return call(declared.linear_weight, problem, x, dy, algorithm=algorithm, out=out)


def linear_sgd(
    weight: np.ndarray,
    x: np.ndarray,
    dy: np.ndarray,
    velocity: np.ndarray | None,
    lr: np.ndarray,
    *,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    form: str = "torch",
    algorithm: str | None = None,
) -> None:
    """``sgd`` of a weight (O, I) for the gradient ``linear_weight(x, dy)``, which is not kept.

    Shapes: x (N, I), dy (N, O), ``velocity`` (O, I) or None; ``lr`` is a 0-d array. ``weight`` and
    ``velocity`` change in place. Raises as ``sgd``.
    """
    float_array("linear_sgd", "weight", weight, 2)
    float_array("linear_sgd", "x", x, 2)
    require_sgd("linear_sgd", velocity, momentum, nesterov, form)
    (o, i), how = weight.shape, numerics(dtype_name(weight.dtype))
    problem = declared.LinearSGDProblem(len(x), i, o, momentum, weight_decay, nesterov, form, **how)
    updates = weight, velocity
    call(declared.linear_sgd, problem, x, dy, lr, updates=updates, algorithm=algorithm)
