"""block: one block for each channel, all of it in one launch; needs no workspace."""

import numpy as np

from gpuconv.cuda import Source

from ._cuda import affine, block_cost, launcher, struct
from .op import batch_norm, batch_norm_backward

SOURCE = Source(__file__)


@batch_norm.kernel("block", backend="cuda", cost=block_cost(batch_norm))
def forward(outs, ins, problem, work):
    """Moments of a channel, then its y."""
    (y, mean, invstd, *running), (x, weight, bias) = outs, ins
    run, runs = launcher(SOURCE, problem), running[0] is not None and problem.n > 0
    made = y, mean, invstd, *(running if runs else (mean, mean))
    numbers = np.float64(problem.epsilon), np.float64(problem.momentum), run.index(runs)
    given = x, *affine(x, weight, bias), *numbers
    shape = struct(run, problem, weight, bias, parts=1)
    run.each_block("batch_norm", problem.c, *made, *given, shape)


@batch_norm_backward.kernel("block", backend="cuda", cost=block_cost(batch_norm_backward))
def backward(outs, ins, problem, work):
    """Both sums of a channel, then its dx."""
    dy, x, weight, *statistics = ins
    run = launcher(SOURCE, problem)
    shape, given = struct(run, problem, weight, parts=1), affine(dy, weight)
    run.each_block("batch_norm_backward", problem.c, *outs, dy, x, *given, *statistics, shape)
