"""direct: one thread per output; the gradient, which gathers, one thread per input element."""

from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming
from ._cuda import cost, launcher, struct
from .op import AdaptivePool2dProblem, adaptive_avg_pool2d, adaptive_avg_pool2d_backward

SOURCE = Source(__file__)


def _launch(entry: str, problem: AdaptivePool2dProblem, out: Any, *arrays: Any) -> None:
    """A thread for each element of ``out``."""
    run = launcher(SOURCE, problem)
    run.each(entry, out.size, out, *arrays, struct(run, problem))


def _cost(problem: AdaptivePool2dProblem, device: Device) -> float:
    return cost(problem, lanes=1)


@adaptive_avg_pool2d.kernel("direct", backend="cuda", cost=_cost)
def average(outs, ins, problem, work):
    """y = mean of the bin."""
    _launch("adaptive_avg_pool2d", problem, *outs, *ins)


@adaptive_avg_pool2d_backward.kernel(
    "direct", backend="cuda", cost=streaming(adaptive_avg_pool2d_backward, SCALAR)
)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / size over the bins that hold the element."""
    _launch("adaptive_avg_pool2d_backward", problem, *outs, *ins)
