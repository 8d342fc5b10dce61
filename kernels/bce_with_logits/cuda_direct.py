"""direct: the mean in two stages, in a fixed order; the gradient one thread per element."""

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming, summing
from .._cuda import Launcher, nbytes, partials, typed
from ..loss import LossProblem
from .op import bce_with_logits, bce_with_logits_backward

SOURCE = Source(__file__)


def _workspace(problem: LossProblem, device: Device) -> int:
    return nbytes(problem, partials(problem.size))


@bce_with_logits.kernel(
    "direct", backend="cuda", workspace=_workspace, cost=summing(bce_with_logits)
)
def forward(outs, ins, problem, work):
    """loss = mean of max(x, 0) - x t + log(1 + e^-|x|)."""
    run, blocks = Launcher(SOURCE, problem), partials(problem.size)
    partial, count = typed(work, problem), run.index(problem.size)
    run.blocks("bce_partial", blocks, partial, *ins, count)
    run.blocks("bce_mean", 1, *outs, partial, run.index(blocks), count)


@bce_with_logits_backward.kernel(
    "direct", backend="cuda", cost=streaming(bce_with_logits_backward, SCALAR)
)
def backward(outs, ins, problem, work):
    """dx = (sigmoid(x) - t) * (dloss / size)."""
    Launcher(SOURCE, problem).each("bce_backward", problem.size, *outs, *ins)
