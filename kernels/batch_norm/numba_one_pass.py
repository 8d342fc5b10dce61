"""one_pass: mean and variance from one reading of x, then y from another.

Idea: distances from a number near the mean lose no digits when they are squared and summed; each
  piece of a channel takes about the mean of the piece before it, and what was added to all of
  them is taken out again in float64. A channel's pieces go to several threads (_numba_channels.py).
Takes: float32, every shape.
Next rung: sums that the convolution before it makes while its results are in registers.

Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983), section 1: shifted
data, and sums in pieces.
"""

from typing import Any

import numpy as np

from .._cpu_cost import measured
from .op import BatchNormProblem, batch_norm, batch_norm_backward

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
}


def _update(running: np.ndarray | None, batch: np.ndarray, momentum: float) -> None:
    if running is not None:
        running *= 1 - momentum
        running += momentum * batch


@batch_norm.kernel("one_pass", cost=measured(batch_norm, 1.5e-4, 0.9), **DECLARED)
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    from .. import _numba_channels as tasks

    (y, mean, invstd, running_mean, running_var), (x, weight, bias) = outs, ins
    cut, count = tasks.channels_of(x.shape, x.ndim == 4), max(1, problem.n * problem.s)
    total, squares = cut.add(tasks.moments, problem.c, 2, x=x)
    exact = total / count
    var = np.maximum(0, squares / count - exact * exact)
    mean[...], invstd[...] = exact, 1 / np.sqrt(var + problem.epsilon)
    if problem.n:
        _update(running_mean, exact, problem.momentum)
        _update(running_var, var * (count / max(1, count - 1)), problem.momentum)
    normalise(cut, y, x, mean, scale(invstd, weight), bias)


def scale(invstd: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """What a centred value is multiplied by."""
    return invstd if weight is None else invstd * weight


def normalise(
    cut: Any,
    y: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    factor: np.ndarray,
    bias: np.ndarray | None,
) -> None:
    """y = (x - mean) * factor + bias."""
    from .. import _numba_channels as tasks

    moved = np.zeros_like(mean) if bias is None else bias
    center, scaled, moved = cut.spread(mean, factor, moved)
    cut.map(tasks.affine, x=x, y=y, mean=center, scale=scaled, bias=moved)


_backward_cost = measured(batch_norm_backward, 1.5e-4, 0.8)


@batch_norm_backward.kernel("one_pass", cost=_backward_cost, **DECLARED)
def backward(outs, ins, problem: BatchNormProblem, work):
    """Both sums first, then dx from them."""
    from .. import _numba_channels as tasks

    (dx, dweight, dbias), (dy, x, weight, mean, invstd) = outs, ins
    cut, count = tasks.channels_of(x.shape, x.ndim == 4), max(1, problem.n * problem.s)
    (center,) = cut.spread(mean)
    total, product = cut.add(tasks.products, problem.c, 2, dy=dy, x=x, mean=center)
    dbias[...], dweight[...] = total, product * invstd
    slope, shift, factor = cut.spread(
        -product * invstd * invstd / count, -total / count, scale(invstd, weight)
    )
    each = {"mean": center, "slope": slope, "shift": shift, "scale": factor}
    cut.map(tasks.slopes, dy=dy, x=x, dx=dx, **each)
