"""direct_one_slice: direct's weight gradient with each sum in one piece, where memory is short."""

from . import cuda_direct as direct
from ._cuda import launcher, struct
from .op import conv2d_weight


@conv2d_weight.kernel("direct_one_slice", backend="cuda", rank=95, cost=direct.one_slice_cost)
def weight_gradient(outs, ins, problem, work):
    """dweight = one thread's sum over all the outputs of its channel; needs no workspace."""
    (dweight,), (x, dy) = outs, ins
    run = launcher(direct.SOURCE, problem)
    arguments = dweight, x, dy, struct(run, problem), run.index(1)
    run.each("conv2d_weight_slices", dweight.size, *arguments)
