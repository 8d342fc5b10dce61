"""two_pass: the mean first, then the variance of what is centred; accurate where mean >> deviation.

Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983), equation 1.7: the
rounding of the mean is measured on the centred values and taken out of them too.
"""

from collections.abc import Iterator

import numpy as np

from .._cpu_cost import measured
from .op import BatchNormProblem, batch_norm, batch_norm_backward

TARGET = 1 << 18  # bytes worked on at once, so that the temporaries stay in the cache


def _blocks(problem: BatchNormProblem) -> Iterator[slice]:
    image = max(1, problem.c * problem.s) * np.dtype(problem.dtype).itemsize
    step = max(1, TARGET // image)
    for start in range(0, problem.n, step):
        yield slice(start, min(start + step, problem.n))


def _sum(values: np.ndarray) -> np.ndarray:
    """Sum of (n, C, S) per channel: along the plane pairwise, as NumPy adds what is contiguous."""
    return values.sum(2).sum(0)


def _update(running: np.ndarray | None, batch: np.ndarray, momentum: float) -> None:
    if running is not None:
        running *= 1 - momentum
        running += momentum * batch


@batch_norm.kernel("two_pass", backend="numpy", rank=40, cost=measured(batch_norm, 5e-5, 2.7))
def forward(outs, ins, problem, work):
    """y holds the centred values until their variance is known."""
    (y, mean, invstd, running_mean, running_var), (x, weight, bias) = outs, ins
    count = max(1, problem.n * problem.s)
    np.divide(_sum(x), count, out=mean)
    np.subtract(x, mean[:, None], out=y)
    rounding = _sum(y) / count
    var = np.zeros_like(mean)
    for block in _blocks(problem):
        y[block] -= rounding[:, None]
        var += _sum(np.square(y[block]))
    var /= count
    np.divide(1, np.sqrt(var + problem.epsilon), out=invstd)
    if problem.n:
        _update(running_mean, mean, problem.momentum)
        _update(running_var, var * (count / max(1, count - 1)), problem.momentum)
    scale = invstd if weight is None else invstd * weight
    y *= scale[:, None]
    if bias is not None:
        y += bias[:, None]


_backward_cost = measured(batch_norm_backward, 5e-5, 2.1)


@batch_norm_backward.kernel("two_pass", backend="numpy", rank=40, cost=_backward_cost)
def backward(outs, ins, problem, work):
    """Both sums first, then dx from them."""
    (dx, dweight, dbias), (dy, x, weight, mean, invstd) = outs, ins
    count = max(1, problem.n * problem.s)
    dweight.fill(0)
    dbias[...] = _sum(dy)
    for block in _blocks(problem):
        dweight += _sum((x[block] - mean[:, None]) * dy[block])
    dweight *= invstd
    scale = invstd if weight is None else invstd * weight
    slope, shift = (dweight * invstd / count)[:, None], (dbias / count)[:, None]
    for block in _blocks(problem):
        np.subtract(x[block], mean[:, None], out=dx[block])
        dx[block] *= -slope
        dx[block] += dy[block]
        dx[block] -= shift
        dx[block] *= scale[:, None]
