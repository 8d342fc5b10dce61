"""Gradient clipping, as functions that change a flat gradient in place."""

import numpy as np

from ..kernels.clip import op as declared
from ._call import call, float_array, numerics
from ._scalars import scalar


def _problem(op: str, gradient: np.ndarray) -> declared.ClipProblem:
    numeric = numerics(float_array(op, "gradient", gradient, 1))
    return declared.ClipProblem(gradient.size, **numeric)


def clip_grad_norm(
    gradient: np.ndarray, max_norm: np.ndarray | float, *, algorithm: str | None = None
) -> np.ndarray:
    """Scale ``gradient`` down to the norm ``max_norm`` if it is longer; returns the norm before.

    The factor is min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_; Pascanu,
    Mikolov and Bengio, "On the difficulty of training recurrent neural networks" (2013),
    algorithm 1. Squares are summed in float64. Shapes: gradient (n,), ``max_norm`` a number or a
    0-d array, result 0-d. Raises OptionError, ShapeError, DtypeError or DeviceError.
    """
    problem = _problem("clip_grad_norm", gradient)
    longest = scalar(max_norm, "clip_grad_norm: max_norm", gradient, 0.0)
    updates = (gradient,)
    return call(declared.clip_grad_norm, problem, longest, updates=updates, algorithm=algorithm)


def clip_grad_value(
    gradient: np.ndarray, limit: np.ndarray | float, *, algorithm: str | None = None
) -> None:
    """Move every element of ``gradient`` into [-limit, limit]; NaN stays NaN.

    As torch.nn.utils.clip_grad_value_. Shapes: gradient (n,), ``limit`` a number or a 0-d array.
    Raises OptionError, ShapeError, DtypeError or DeviceError.
    """
    problem = _problem("clip_grad_value", gradient)
    most = scalar(limit, "clip_grad_value: limit", gradient, 0.0)
    call(declared.clip_grad_value, problem, most, updates=(gradient,), algorithm=algorithm)
