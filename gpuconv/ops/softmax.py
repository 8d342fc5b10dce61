"""Softmax and log-softmax along axis 1, and their gradients, as functions."""

import numpy as np

from ..errors import ShapeError
from ..kernels.elementwise import ElementwiseProblem
from ..kernels.softmax import op as declared
from ._call import call, float_array, numerics


def _problem(op: str, name: str, array: np.ndarray) -> ElementwiseProblem:
    numeric = numerics(float_array(op, name, array, (2, 4)))
    if 0 in array.shape[1:]:
        raise ShapeError(f"{op}: {name} has shape {array.shape}; only the batch may be empty")
    return ElementwiseProblem(array.shape, **numeric)


def softmax(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """e^x / sum of e^x along axis 1, without overflow, as torch.softmax(x, 1).

    Shapes: x (N, K) or (N, K, H, W), result the same. Raises ShapeError, DtypeError or DeviceError.
    """
    return call(declared.softmax, _problem("softmax", "x", x), x, algorithm=algorithm)


def softmax_backward(dy: np.ndarray, y: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Gradient of softmax from its result: y * (dy - sum of dy * y along axis 1).

    Shapes and errors as ``softmax``; dy has the shape of y.
    """
    problem = _problem("softmax_backward", "y", y)
    return call(declared.softmax_backward, problem, dy, y, algorithm=algorithm)


def log_softmax(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """x - log(sum of e^x) along axis 1, without overflow, as torch.log_softmax(x, 1).

    Shapes and errors as ``softmax``.
    """
    return call(declared.log_softmax, _problem("log_softmax", "x", x), x, algorithm=algorithm)


def log_softmax_backward(
    dy: np.ndarray, y: np.ndarray, *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of log_softmax from its result: dy - e^y * sum of dy along axis 1.

    Shapes and errors as ``softmax``; dy has the shape of y.
    """
    problem = _problem("log_softmax_backward", "y", y)
    return call(declared.log_softmax_backward, problem, dy, y, algorithm=algorithm)
