"""sliced: a block for each slice of a channel, then the slices in order, then each element."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import typed
from ._cuda import affine, launcher, partial_bytes, sliced_cost, slices, struct
from .op import BatchNormProblem, batch_norm, batch_norm_backward

SOURCE = Source(__file__)
MOMENTS = 3  # of a slice: mean, rest and sum of squares
SUMS = 2  # of a slice: of dy and of dy (x - mean)


def _workspace(problem: BatchNormProblem, device: Device) -> int:
    return partial_bytes(problem, MOMENTS, also=1)


@batch_norm.kernel("sliced", backend="cuda", workspace=_workspace, cost=sliced_cost(batch_norm))
def forward(outs, ins, problem, work):
    """Moments of every slice, those of the channels, then y."""
    (y, mean, invstd, *running), (x, weight, bias) = outs, ins
    run = launcher(SOURCE, problem)
    shape, work = struct(run, problem, weight, bias), typed(work, problem)
    partial, rest = work[: -problem.c], work[-problem.c :]
    run.each_block("batch_norm_slices", slices(problem) * problem.c, partial, x, shape)
    runs = running[0] is not None and problem.n > 0
    numbers = np.float64(problem.epsilon), np.float64(problem.momentum), run.index(runs)
    statistics = mean, rest, invstd, *(running if runs else (mean, mean))
    run.each_warp("batch_norm_moments", problem.c, *statistics, partial, *numbers, shape)
    run.each("batch_norm", y.size, y, x, *affine(x, weight, bias), mean, rest, invstd, shape)


def _workspace_backward(problem: BatchNormProblem, device: Device) -> int:
    return partial_bytes(problem, SUMS)


@batch_norm_backward.kernel(
    "sliced",
    backend="cuda",
    workspace=_workspace_backward,
    cost=sliced_cost(batch_norm_backward),
)
def backward(outs, ins, problem, work):
    """Sums of every slice, those of the channels, then dx from them."""
    (dx, dweight, dbias), (dy, x, weight, mean, invstd) = outs, ins
    run, partial = launcher(SOURCE, problem), typed(work, problem)
    shape, blocks = struct(run, problem, weight), slices(problem) * problem.c
    run.each_block("batch_norm_backward_slices", blocks, partial, dy, x, mean, shape)
    sums = dweight, dbias
    run.each_warp("batch_norm_backward_sums", problem.c, *sums, partial, invstd, shape)
    known = dy, x, *affine(x, weight), mean, invstd, *sums
    run.each("batch_norm_backward", dx.size, dx, *known, shape)
