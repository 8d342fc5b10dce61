"""direct: one thread per output; gradients, which gather, one thread per input element."""

from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming
from ._cuda import cost, launcher, struct
from .op import (
    AvgPool2dProblem,
    Pool2dProblem,
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

SOURCE = Source(__file__)


def _launch(entry: str, problem: Pool2dProblem, out: Any, *arrays: Any) -> None:
    """A thread for each element of ``out``."""
    run = launcher(SOURCE, problem)
    run.each(entry, out.size, out, *arrays, struct(run, problem))


def _cost(problem: AvgPool2dProblem, device: Device) -> float:
    return cost(problem, lanes=1)


@max_pool2d.kernel("direct", backend="cuda", cost=streaming(max_pool2d, SCALAR))
def maximum(outs, ins, problem, work):
    """y and index of each window's first maximum."""
    _launch("max_pool2d", problem, *outs, *ins)


@max_pool2d_backward.kernel("direct", backend="cuda", cost=streaming(max_pool2d_backward, SCALAR))
def maximum_gradient(outs, ins, problem, work):
    """dx = the sum of dy over the windows whose maximum the element was."""
    _launch("max_pool2d_backward", problem, *outs, *ins)


@avg_pool2d.kernel("direct", backend="cuda", cost=_cost)
def average(outs, ins, problem, work):
    """y = sum of the window / divisor."""
    _launch("avg_pool2d", problem, *outs, *ins)


@avg_pool2d_backward.kernel("direct", backend="cuda", cost=streaming(avg_pool2d_backward, SCALAR))
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / divisor over the windows that hold the element."""
    _launch("avg_pool2d_backward", problem, *outs, *ins)
