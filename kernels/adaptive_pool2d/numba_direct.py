"""direct: the mean of every bin from the definition, for a vector of channels at once.

Idea: bins are windows of their own sizes, so that the loops of pool2d's averages serve.
Takes: float32, every shape.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from .._cpu_cost import measured
from ..pool2d.numba_direct import DECLARED, reordered
from .op import AdaptivePool2dProblem, adaptive_avg_pool2d, adaptive_avg_pool2d_backward


@lru_cache
def _bins(problem: AdaptivePool2dProblem) -> Any:
    from ..pool2d._numba_axes import Windows

    rows, cols = _axis(problem.h, problem.p), _axis(problem.w, problem.q)
    return Windows(rows, cols, _back(problem.h, problem.p), problem.w)


def _axis(size: int, bins: int) -> Any:
    from ..pool2d._numba_axes import Axis

    i = np.arange(bins)
    first, stop = i * size // bins, -(-(i + 1) * size // bins)
    return Axis.between(first, stop - 1, divisors=stop - first)


def _back(size: int, bins: int) -> Any:
    """The bins that hold each element."""
    from ..pool2d._numba_axes import Axis

    i = np.arange(size)
    return Axis.between(i * bins // size, -(-(i + 1) * bins // size) - 1)


_cost = measured(adaptive_avg_pool2d, 1.5e-4, 1.8)
_backward_cost = measured(adaptive_avg_pool2d_backward, 1e-4, 1.8)


@adaptive_avg_pool2d.kernel("direct", workspace=reordered("x", "y"), cost=_cost, **DECLARED)
def average(outs, ins, problem, work):
    """y = the mean of the bin."""
    from ..pool2d import _numba_run

    _numba_run.average(_bins(problem), outs, ins, problem, work)


@adaptive_avg_pool2d_backward.kernel(
    "direct", workspace=reordered("x", "y"), cost=_backward_cost, **DECLARED
)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / size over the bins that hold the element."""
    from ..pool2d import _numba_run

    _numba_run.average_gradient(_bins(problem), outs, ins, problem, work)
