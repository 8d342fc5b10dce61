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

from gpuconv.cpu import host

from .._cpu_cost import measured
from .op import BatchNormProblem, batch_norm, batch_norm_backward

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
    "records": True,
}


@batch_norm.kernel("one_pass", cost=measured(batch_norm, 8e-5, 0.9), **DECLARED)
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    from .. import _numba_channels as tasks
    from ._numba_tasks import settle

    (y, mean, invstd, running_mean, running_var), (x, weight, bias) = outs, ins
    cut, count = tasks.channels_of(x.shape, x.ndim == 4), max(1, problem.n * problem.s)
    sums, table = cut.sums(tasks.moments, 2, x=x), cut.table()
    if not problem.n:
        running_mean = running_var = None
    numbers = np.array([count, problem.epsilon, problem.momentum, count / max(1, count - 1)])
    arrays = {"mean": mean, "invstd": invstd, "weight": weight, "bias": bias, "table": table}
    running = {"running_mean": running_mean, "running_var": running_var}
    cut.settle(settle, problem.c, sums, numbers=numbers, **arrays, **running)
    cut.map(tasks.affine, x=x, y=y, mean=table[0], scale=table[1], bias=table[2])


_backward_cost = measured(batch_norm_backward, 8e-5, 0.8)


@batch_norm_backward.kernel("one_pass", cost=_backward_cost, **DECLARED)
def backward(outs, ins, problem: BatchNormProblem, work):
    """Both sums first, then dx from them."""
    from .. import _numba_channels as tasks
    from ._numba_tasks import settle_gradient

    (dx, dweight, dbias), (dy, x, weight, mean, invstd) = outs, ins
    cut, count = tasks.channels_of(x.shape, x.ndim == 4), max(1, problem.n * problem.s)
    center, table = cut.table(1)[0], cut.table()
    host(cut.spread, center, mean)
    sums = cut.sums(tasks.products, 2, dy=dy, x=x, mean=center)
    arrays = {"weight": weight, "invstd": invstd, "dweight": dweight, "dbias": dbias}
    numbers = np.array([count], np.float64)
    cut.settle(settle_gradient, problem.c, sums, numbers=numbers, **arrays, table=table)
    each = {"mean": center, "slope": table[0], "shift": table[1], "scale": table[2]}
    cut.map(tasks.slopes, dy=dy, x=x, dx=dx, **each)
