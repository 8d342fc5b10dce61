"""direct: the mean in two stages, in a fixed order; the gradient one thread per element."""

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming, summing
from .._cuda import Launcher, nbytes, partials, typed
from ..loss import LossProblem
from .op import mse, mse_backward

SOURCE = Source(__file__)


def _workspace(problem: LossProblem, device: Device) -> int:
    return nbytes(problem, partials(problem.size))


@mse.kernel("direct", backend="cuda", workspace=_workspace, cost=summing(mse))
def forward(outs, ins, problem, work):
    """loss = mean of (x - target)^2."""
    run, blocks = Launcher(SOURCE, problem), partials(problem.size)
    partial, count = typed(work, problem), run.index(problem.size)
    run.blocks("mse_partial", blocks, partial, *ins, count)
    run.blocks("mse_mean", 1, *outs, partial, run.index(blocks), count)


@mse_backward.kernel("direct", backend="cuda", cost=streaming(mse_backward, SCALAR))
def backward(outs, ins, problem, work):
    """dx = (x - target) * (2 dloss / size)."""
    Launcher(SOURCE, problem).each("mse_backward", problem.size, *outs, *ins)
