"""Mean squared error and binary cross-entropy, and their gradients, as functions."""

import numpy as np

from ..errors import ShapeError
from ..kernels.bce_with_logits import op as _bce
from ..kernels.loss import LossProblem
from ..kernels.mse import op as _mse
from ._call import call, float_array, numerics
from ._scalars import scalar


def _problem(op: str, x: np.ndarray) -> LossProblem:
    numeric = numerics(float_array(op, "x", x))
    if x.size == 0:
        raise ShapeError(f"{op}: x has shape {x.shape}; a mean needs at least one element")
    return LossProblem(x.shape, **numeric)


def mse(x: np.ndarray, target: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Mean of (x - target)^2 over every element, as torch.nn.functional.mse_loss.

    Shapes: x any but empty, target the same, result 0-d. The NumPy sum is taken in float64. Raises
    ShapeError, DtypeError or DeviceError.
    """
    return call(_mse.mse, _problem("mse", x), x, target, algorithm=algorithm)


def mse_backward(
    dloss: np.ndarray | float, x: np.ndarray, target: np.ndarray, *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of mse with respect to x: 2 dloss (x - target) / size.

    ``dloss`` is a number or a 0-d array. Shapes and errors as ``mse``; the result is shaped as x.
    """
    problem = _problem("mse_backward", x)
    slope = scalar(dloss, "mse_backward: dloss", x)
    return call(_mse.mse_backward, problem, slope, x, target, algorithm=algorithm)


def bce_with_logits(
    x: np.ndarray, target: np.ndarray, *, algorithm: str | None = None
) -> np.ndarray:
    """Mean binary cross-entropy of logits x and targets in [0, 1], without overflow.

    As torch.nn.functional.binary_cross_entropy_with_logits: the mean over every element of
    max(x, 0) - x t + log(1 + e^-|x|). Shapes and errors as ``mse``.
    """
    problem = _problem("bce_with_logits", x)
    return call(_bce.bce_with_logits, problem, x, target, algorithm=algorithm)


def bce_with_logits_backward(
    dloss: np.ndarray | float, x: np.ndarray, target: np.ndarray, *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of bce_with_logits with respect to x: dloss (sigmoid(x) - target) / size.

    ``dloss`` is a number or a 0-d array. Shapes and errors as ``mse``; the result is shaped as x.
    """
    problem = _problem("bce_with_logits_backward", x)
    slope = scalar(dloss, "bce_with_logits_backward: dloss", x)
    return call(_bce.bce_with_logits_backward, problem, slope, x, target, algorithm=algorithm)
