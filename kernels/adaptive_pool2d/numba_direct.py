"""direct: the mean of every bin from the definition, for a vector of channels at once.

Idea: bins are windows of their own sizes, so that the loops of pool2d's averages serve.
Takes: float32, every shape.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from .op import AdaptivePool2dProblem, adaptive_avg_pool2d, adaptive_avg_pool2d_backward

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
}


def _axis(size: int, bins: int, is_backward: bool) -> Any:
    """The bins along an axis, or backward the elements with the bins that hold them."""
    from ..pool2d._numba_axes import Axis, axis

    i, h = np.arange(bins), np.arange(size)
    first, last = i * size // bins, -(-(i + 1) * size // bins) - 1
    shares, ones = (1 / (last - first + 1)).astype(np.float32), np.ones(size, np.float32)
    if not is_backward:
        return Axis(*axis(first, last), ones, shares)
    return Axis(*axis(h * bins // size, -(-(h + 1) * bins // size) - 1), shares, ones)


@lru_cache
def _axes(problem: AdaptivePool2dProblem, is_backward: bool) -> tuple[Any, Any]:
    pairs = (problem.h, problem.p), (problem.w, problem.q)
    rows, cols = (_axis(*pair, is_backward) for pair in pairs)
    return rows, cols


@adaptive_avg_pool2d.kernel("direct", **DECLARED)
def average(outs, ins, problem, work):
    """y = the mean of the bin."""
    from ..pool2d import _numba_run

    _numba_run.average(_axes(problem.plain, False), *outs, *ins)


@adaptive_avg_pool2d_backward.kernel("direct", **DECLARED)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / size over the bins that hold the element."""
    from ..pool2d import _numba_run

    _numba_run.average(_axes(problem.plain, True), *outs, *ins)
