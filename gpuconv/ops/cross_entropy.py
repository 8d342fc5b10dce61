"""Softmax cross-entropy and its gradient, as functions."""

import numpy as np

from .. import device as devices
from ..errors import DataError, DtypeError, OptionError, ShapeError
from ..kernels.cross_entropy import op as declared
from ..shapes import real
from ._call import call, float_array, numerics


def _problem(
    op: str, x: np.ndarray, target: np.ndarray, label_smoothing: float
) -> declared.CrossEntropyProblem:
    dtype = float_array(op, "x", x, (2, 4))
    here = devices.of(target, op, "target")
    if not real(label_smoothing, f"{op}: label_smoothing", 0.0) < 1.0:
        raise OptionError(f"{op}: label_smoothing must be in [0, 1), got {label_smoothing!r}")
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{op}: target is {target.dtype}; expected class numbers (int64)")
    if x.size == 0:
        raise ShapeError(f"{op}: x has shape {x.shape}; the mean over no labels is undefined")
    wanted = x.shape[:1] + x.shape[2:]
    if target.shape != wanted:
        raise ShapeError(
            f"{op}: target has shape {target.shape}, expected {wanted} for x {x.shape}"
        )
    if here == devices.CPU:  # elsewhere reading the labels would make the host wait
        _in_range(op, target, x.shape[1])
    return declared.CrossEntropyProblem(x.shape, float(label_smoothing), **numerics(dtype))


def _in_range(op: str, target: np.ndarray, classes: int) -> None:
    bad = (target < 0) | (target >= classes)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{op}: target {int(target[at])} at {at} is out of range; the {classes} classes are "
            f"0 .. {classes - 1}"
        )


def cross_entropy(
    x: np.ndarray,
    target: np.ndarray,
    *,
    label_smoothing: float = 0.0,
    algorithm: str | None = None,
) -> np.ndarray:
    """Mean cross-entropy of logits and class numbers, as torch.nn.functional.cross_entropy.

    Shapes: x (N, K) or (N, K, H, W), target (N,) or (N, H, W) of integers, result 0-d. Raises
    ShapeError, DtypeError, OptionError, or DataError for a label out of range.
    """
    problem = _problem("cross_entropy", x, target, label_smoothing)
    return call(declared.cross_entropy, problem, x, target.astype(np.int64), algorithm=algorithm)


def cross_entropy_backward(
    dloss: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
    *,
    label_smoothing: float = 0.0,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of cross_entropy with respect to x, times the 0-d array ``dloss``.

    Shapes and errors as ``cross_entropy``; the result has the shape of x.
    """
    problem = _problem("cross_entropy_backward", x, target, label_smoothing)
    labels = target.astype(np.int64)
    return call(declared.cross_entropy_backward, problem, dloss, x, labels, algorithm=algorithm)
