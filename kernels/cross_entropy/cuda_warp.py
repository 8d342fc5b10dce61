"""warp: one warp for each label; the mean in two stages."""

from math import prod
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.launch import BLOCK
from gpuconv.device import Device

from .._cost import SCALAR, streaming, summing
from .._cuda import LANES, Launcher, ceil_div, nbytes, typed
from .op import CrossEntropyProblem, cross_entropy, cross_entropy_backward

SOURCE = Source(__file__)
PARTIALS = 1024  # blocks that add up losses, at most


def _partials(problem: CrossEntropyProblem) -> int:
    return min(ceil_div(problem.positions, BLOCK // LANES), PARTIALS)


def _workspace(problem: CrossEntropyProblem, device: Device) -> int:
    return nbytes(problem, _partials(problem))


def _launcher(problem: CrossEntropyProblem) -> tuple[Launcher, Any]:
    """A launcher and the problem as the kernels' Rows."""
    classes, positions = problem.shape[1], prod(problem.shape[2:])
    run = Launcher(SOURCE, problem, (classes + LANES) * positions)
    return run, run.struct(classes=classes, positions=positions)


@cross_entropy.kernel("warp", backend="cuda", workspace=_workspace, cost=summing(cross_entropy))
def forward(outs, ins, problem, work):
    """Mean of log sum exp - (1 - s) x[target] - s mean(x), all less the maximum."""
    (loss,), (x, target) = outs, ins
    run, shape = _launcher(problem)
    partial, blocks, rows = typed(work, problem), _partials(problem), run.index(problem.positions)
    smoothing = run.real(problem.label_smoothing)
    run.blocks("cross_entropy_partial", blocks, partial, x, target, smoothing, shape, rows)
    run.blocks("cross_entropy_mean", 1, loss, partial, run.index(blocks), rows)


@cross_entropy_backward.kernel(
    "warp", backend="cuda", cost=streaming(cross_entropy_backward, SCALAR)
)
def backward(outs, ins, problem, work):
    """dx = dloss / positions (softmax - q)."""
    run, shape = _launcher(problem)
    smoothing = run.real(problem.label_smoothing)
    run.each_warp("cross_entropy_backward", problem.positions, *outs, *ins, smoothing, shape)
