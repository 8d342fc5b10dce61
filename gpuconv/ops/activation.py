"""Activation functions and their gradients, as functions of arrays of any shape."""

import numpy as np

from gpuconv.kernels.elementwise import ElementwiseProblem
from gpuconv.kernels.relu import op as _relu

from ._call import call, float_array, numerics


def _problem(op: str, name: str, array: np.ndarray) -> ElementwiseProblem:
    numeric = numerics(float_array(op, name, array))
    return ElementwiseProblem(array.shape, **numeric)


def relu(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """max(x, 0), as torch.nn.functional.relu; NaN stays NaN.

    Shapes: x any, result the same. Raises DtypeError, DeviceError or KernelError.
    """
    return call(_relu.relu, _problem("relu", "x", x), x, algorithm=algorithm)


def relu_backward(dy: np.ndarray, y: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Gradient of relu from its result ``y`` (or its input): dy where not (y <= 0), else 0.

    So relu'(0) = 0, and a NaN hands dy on, as in PyTorch's threshold_backward. Shapes: dy, y and
    result the same. Raises ShapeError besides what ``relu`` raises.
    """
    problem = _problem("relu_backward", "y", y)
    return call(_relu.relu_backward, problem, dy, y, algorithm=algorithm)
