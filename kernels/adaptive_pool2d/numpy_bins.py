"""bins: means over the bins of the rows, then of the columns; P + Q steps over all planes."""

import numpy as np

from gpuconv.device import Device

from .op import AdaptivePool2dProblem, adaptive_avg_pool2d, adaptive_avg_pool2d_backward, bin_of


def _bins(size: int, count: int) -> list[tuple[int, slice]]:
    every = ((i, bin_of(i, size, count)) for i in range(count))
    return [(i, slice(elements.start, elements.stop)) for i, elements in every]


def _cost(problem: AdaptivePool2dProblem, device: Device) -> float:
    """Seconds: NumPy's calls, its start on every row and every bin, and the reading of x."""
    planes, bins = problem.n * problem.c, problem.p * problem.q
    row = 1.5e-8 + 4e-10 * problem.w
    return 2e-5 + 1e-5 * (problem.p + problem.q) + planes * (problem.h * row + 8e-8 * bins)


def _backward_cost(problem: AdaptivePool2dProblem, device: Device) -> float:
    """Seconds: NumPy's calls, and the passes over dx, fewer for a single bin."""
    passes = 2.4 if problem.p * problem.q == 1 else 4.5
    size = problem.n * problem.c * problem.h * problem.w
    return 2e-5 + 1e-5 * (problem.p + problem.q) + 4e-10 * passes * size


@adaptive_avg_pool2d.kernel("bins", backend="numpy", rank=40, cost=_cost)
def average(outs, ins, problem, work):
    """y = mean over columns of mean over rows."""
    (y,), (x,) = outs, ins
    rows = np.empty((problem.n, problem.c, problem.p, problem.w), y.dtype)
    for p, met in _bins(problem.h, problem.p):
        x[:, :, met].mean(2, out=rows[:, :, p])
    for q, met in _bins(problem.w, problem.q):
        rows[..., met].mean(3, out=y[..., q])


@adaptive_avg_pool2d_backward.kernel("bins", backend="numpy", rank=40, cost=_backward_cost)
def average_gradient(outs, ins, problem, work):
    """dx = dy / size handed to the bin's columns, then to its rows."""
    (dx,), (dy,) = outs, ins
    rows = np.zeros((problem.n, problem.c, problem.p, problem.w), dx.dtype)
    for q, met in _bins(problem.w, problem.q):
        rows[..., met] += dy[..., q, None] / (met.stop - met.start)
    dx.fill(0)
    for p, met in _bins(problem.h, problem.p):
        dx[:, :, met] += rows[:, :, p, None] / (met.stop - met.start)
