"""direct: a thread for each element; the gradient's shares first, then the windows' pulls."""

from math import prod
from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming
from .._cuda import Launcher, nbytes, typed
from .op import LrnProblem, lrn, lrn_backward

SOURCE = Source(__file__)


def _window(run: Launcher, problem: LrnProblem) -> Any:
    """The problem as the kernels' Window; no window reaches further than all channels."""
    reach = {"before": problem.size // 2, "after": (problem.size - 1) // 2}
    near = {name: min(channels, problem.c) for name, channels in reach.items()}
    return run.struct(channels=problem.c, positions=problem.s, **near)


def _numbers(run: Launcher, problem: LrnProblem) -> tuple:
    return tuple(run.real(value) for value in (problem.alpha, problem.beta, problem.k))


@lrn.kernel("direct", backend="cuda", cost=streaming(lrn, SCALAR))
def forward(outs, ins, problem, work):
    """y = x d^-beta."""
    run = Launcher(SOURCE, problem)
    numbers = _numbers(run, problem)
    run.each("lrn", outs[0].size, *outs, *ins, *numbers, _window(run, problem))


def _workspace(problem: LrnProblem, device: Device) -> int:
    return nbytes(problem, prod(problem.spec("x")[0]))


@lrn_backward.kernel(
    "direct", backend="cuda", workspace=_workspace, cost=streaming(lrn_backward, SCALAR)
)
def backward(outs, ins, problem, work):
    """dx holds dy d^-beta until the windows' pulls are taken from it."""
    (dx,), (dy, x) = outs, ins
    if not dx.size:
        return
    run, pull = Launcher(SOURCE, problem), typed(work, problem)
    window, numbers = _window(run, problem), _numbers(run, problem)
    run.each("lrn_shares", dx.size, dx, pull, dy, x, *numbers, window)
    factor = run.real(2 * problem.alpha * problem.beta)
    run.each("lrn_backward", dx.size, dx, pull, x, factor, window)
