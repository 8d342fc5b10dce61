"""block: one block for each channel, sums and dx in one launch."""

from gpuconv.cuda import Source

from ..batch_norm._cuda import affine, block_cost, launcher, struct
from .op import batch_norm_inference_backward

SOURCE = Source(__file__)


@batch_norm_inference_backward.kernel(
    "block", backend="cuda", cost=block_cost(batch_norm_inference_backward)
)
def backward(outs, ins, problem, work):
    """Both sums of a channel; dx = dy * scale."""
    dy, x, weight, *running = ins
    run = launcher(SOURCE, problem)
    given = dy, x, *affine(dy, weight), *running, run.real(problem.epsilon)
    shape = struct(run, problem, weight, parts=1)
    run.each_block("batch_norm_inference_backward", problem.c, *outs, *given, shape)
