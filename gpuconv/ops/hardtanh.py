"""Clamping between two bounds, and its gradient."""

import numpy as np

from ..errors import OptionError
from ..kernels.hardtanh import op as _op
from ..shapes import real
from ._call import call, float_array, numerics


def _problem(
    op: str, name: str, array: np.ndarray, min_val: float, max_val: float
) -> _op.HardtanhProblem:
    low, high = real(min_val, f"{op}: min_val"), real(max_val, f"{op}: max_val")
    if low > high:
        raise OptionError(f"{op}: min_val={min_val!r} is above max_val={max_val!r}; exchange them")
    numeric = numerics(float_array(op, name, array))
    return _op.HardtanhProblem(array.shape, low, high, **numeric)


def hardtanh(
    x: np.ndarray, min_val: float = -1.0, max_val: float = 1.0, *, algorithm: str | None = None
) -> np.ndarray:
    """min(max(x, min_val), max_val), as torch.nn.functional.hardtanh; NaN stays NaN.

    ReLU6 is this with bounds 0 and 6. Shapes: x any, result the same. Raises OptionError,
    DtypeError or DeviceError.
    """
    problem = _problem("hardtanh", "x", x, min_val, max_val)
    return call(_op.hardtanh, problem, x, algorithm=algorithm)


def hardtanh_backward(
    dy: np.ndarray,
    y: np.ndarray,
    min_val: float = -1.0,
    max_val: float = 1.0,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of hardtanh from its result ``y`` (or its input): 0 at a bound or beyond, else dy.

    A NaN hands dy on. Shapes: dy, y and result the same, else ShapeError. Raises what ``hardtanh``
    raises.
    """
    problem = _problem("hardtanh_backward", "y", y, min_val, max_val)
    return call(_op.hardtanh_backward, problem, dy, y, algorithm=algorithm)
