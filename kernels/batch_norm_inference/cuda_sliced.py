"""sliced: a thread for each element; sums over a channel by slices, and the slices in order."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import typed
from ..batch_norm._cuda import affine, launcher, partial_bytes, slices, struct
from ..batch_norm.op import BatchNormProblem
from .op import batch_norm_inference, batch_norm_inference_backward

SOURCE = Source(__file__)
SUMS = 2  # of a slice: of dy and of dy (x - mean)


@batch_norm_inference.kernel("sliced", backend="cuda")
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    (y,), (x, weight, bias, *running) = outs, ins
    run = launcher(SOURCE, problem)
    shape, epsilon = struct(run, problem, weight, bias), run.real(problem.epsilon)
    given = affine(x, weight, bias)
    run.each("batch_norm_inference", y.size, y, x, *given, *running, epsilon, shape)


def _workspace(problem: BatchNormProblem, device: Device) -> int:
    return partial_bytes(problem, SUMS)


@batch_norm_inference_backward.kernel("sliced", backend="cuda", workspace=_workspace)
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
