"""direct: squares added in double by blocks, then every block scales its share; by value in one."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming, summing
from .._cuda import Launcher, partials
from .op import GUARD, ClipProblem, clip_grad_norm, clip_grad_value

SOURCE = Source(__file__)


def _workspace(problem: ClipProblem, device: Device) -> int:
    return partials(problem.size) * np.dtype(np.float64).itemsize


@clip_grad_norm.kernel("direct", backend="cuda", workspace=_workspace, cost=summing(clip_grad_norm))
def run_norm(outs, ins, problem, work):
    """The norm before; the gradient times min(1, max_norm / (norm + guard)); NaN is handed on."""
    (norm, gradient), (max_norm,) = outs, ins
    run, blocks = Launcher(SOURCE, problem), partials(problem.size)
    partial, count = work.view(np.float64), run.index(problem.size)
    run.blocks("clip_partial", blocks, partial, gradient, count)
    bounds = np.float64(GUARD), run.index(blocks), count
    run.blocks("clip_norm", blocks, norm, gradient, max_norm, partial, *bounds)


@clip_grad_value.kernel("direct", backend="cuda", cost=streaming(clip_grad_value, SCALAR))
def run_value(outs, ins, problem, work):
    """Every element moved into [-limit, limit]; NaN stays NaN."""
    Launcher(SOURCE, problem).each("clip_value", problem.size, *outs, *ins)
