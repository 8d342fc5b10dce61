"""direct: one thread per element; dweight in slices of a channel, the slices in order."""

from math import prod
from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device

from .. import _cuda
from .._cost import SCALAR, streaming
from .._cuda import Launcher, ceil_div, nbytes, partials, typed
from .op import PreluProblem, prelu, prelu_backward

SOURCE = Source(__file__)


def _positions(problem: PreluProblem) -> int:
    """Elements next to each other that share a weight."""
    shape = problem.shape
    return prod(shape[2:]) if problem.weights > 1 else prod(shape)


def _length(problem: PreluProblem) -> int:
    """Elements that share a weight."""
    return prod(problem.shape) // max(problem.weights, 1)


def _slices(problem: PreluProblem) -> int:
    """Blocks that share a channel: few where there are many channels."""
    most = ceil_div(_cuda.PARTIALS, max(problem.weights, 1))
    return min(partials(_length(problem)), most)


def _workspace(problem: PreluProblem, device: Device) -> int:
    return nbytes(problem, _slices(problem) * problem.weights)


def _launcher(problem: PreluProblem) -> tuple[Launcher, Any]:
    """A launcher that also reaches a slice beyond a channel's last, and the kernels' Prelu."""
    slices, length = _slices(problem), _length(problem)
    run = Launcher(SOURCE, problem, length + slices)
    return run, run.struct(
        channels=problem.weights, positions=_positions(problem), length=length, slices=slices
    )


@prelu.kernel("direct", backend="cuda", cost=streaming(prelu, SCALAR))
def forward(outs, ins, problem, work):
    """y = weight[c] * x where x <= 0, else x."""
    run, shape = _launcher(problem)
    run.each("prelu", outs[0].size, *outs, *ins, shape)


@prelu_backward.kernel(
    "direct", backend="cuda", workspace=_workspace, cost=streaming(prelu_backward, SCALAR)
)
def backward(outs, ins, problem, work):
    """dx, and the partial sums of dweight in the same launch; then the slices in order."""
    dx, dweight = outs
    if dweight.size:
        run, shape = _launcher(problem)
        partial, slices = typed(work, problem), _slices(problem)
        run.each_block("prelu_gradients", slices * dweight.size, dx, partial, *ins, shape)
        run.each_block("prelu_total", dweight.size, dweight, partial, run.index(slices))
