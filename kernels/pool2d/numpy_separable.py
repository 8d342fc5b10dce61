"""separable: sums over the rows of every window first, then over its columns: R + S additions."""

import numpy as np

from .._cpu_cost import measured
from . import _numpy as shared
from .op import AvgPool2dProblem, avg_pool2d, avg_pool2d_backward


def _counts(problem: AvgPool2dProblem, axis: int) -> np.ndarray:
    """Positions along an axis that each window divides by."""
    size, (lead, trail) = (problem.h, problem.w)[axis], problem.padding[axis]
    starts = np.arange(problem.size(axis)) * problem.stride[axis] - lead
    stops = starts + problem.kernel[axis]
    if problem.count_include_pad:
        return np.minimum(stops, size + trail) - starts
    return np.minimum(stops, size) - np.maximum(starts, 0)


def _divisors(problem: AvgPool2dProblem) -> np.ndarray:
    """What each window divides by, (P, Q)."""
    return np.multiply.outer(_counts(problem, 0), _counts(problem, 1)).astype(problem.dtype)


@avg_pool2d.kernel("separable", backend="numpy", rank=40, cost=measured(avg_pool2d, 6e-5, 2.5))
def average(outs, ins, problem, work):
    """y = (sum over columns of sum over rows) / divisor."""
    y, x = map(shared.planes, (*outs, *ins))
    divisors = _divisors(problem)
    y.fill(0)
    for block in shared.blocks(problem):
        rows = np.zeros((block.stop - block.start, problem.p, problem.w), y.dtype)
        for _, out, met in shared.joins(problem, 0):
            rows[:, out] += x[block, met]
        for _, out, met in shared.joins(problem, 1):
            y[block, :, out] += rows[..., met]
        y[block] /= divisors


_backward_cost = measured(avg_pool2d_backward, 6e-5, 4.5)


@avg_pool2d_backward.kernel("separable", backend="numpy", rank=40, cost=_backward_cost)
def average_gradient(outs, ins, problem, work):
    """dx = dy / divisor handed to the window's columns, then to its rows."""
    dx, dy = map(shared.planes, (*outs, *ins))
    divisors = _divisors(problem)
    dx.fill(0)
    for block in shared.blocks(problem):
        share = dy[block] / divisors
        rows = np.zeros((len(share), problem.p, problem.w), dx.dtype)
        for _, out, met in shared.joins(problem, 1):
            rows[..., met] += share[..., out]
        for _, out, met in shared.joins(problem, 0):
            dx[block, met] += rows[:, out]
