"""sliced: sums over a channel by slices, and the slices in order; dx by itself."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import typed
from ..batch_norm._cuda import affine, launcher, partial_bytes, sliced_cost, slices, struct
from ..batch_norm.op import BatchNormProblem
from .op import batch_norm_inference_backward

SOURCE = Source(__file__)
SUMS = 2  # of a slice: of dy and of dy (x - mean)


def _workspace(problem: BatchNormProblem, device: Device) -> int:
    return partial_bytes(problem, SUMS)


@batch_norm_inference_backward.kernel(
    "sliced",
    backend="cuda",
    workspace=_workspace,
    cost=sliced_cost(batch_norm_inference_backward),
)
def backward(outs, ins, problem, work):
    """Sums of every slice, those of the channels; dx by itself."""
    (dx, dweight, dbias), (dy, x, weight, mean, var) = outs, ins
    run, partial = launcher(SOURCE, problem), typed(work, problem)
    shape, blocks = struct(run, problem, weight), slices(problem) * problem.c
    run.each_block("batch_norm_inference_slices", blocks, partial, dy, x, mean, shape)
    sums = dweight, dbias, partial, var, np.float64(problem.epsilon)
    run.each_warp("batch_norm_inference_sums", problem.c, *sums, shape)
    known = dy, *affine(dy, weight), var, run.real(problem.epsilon)
    run.each("batch_norm_inference_backward", dx.size, dx, *known, shape)
