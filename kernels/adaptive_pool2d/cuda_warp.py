"""warp: one warp for each mean; global average pooling's kernel."""

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import LANES
from ._cuda import cost, launcher, struct
from .op import AdaptivePool2dProblem, adaptive_avg_pool2d

SOURCE = Source(__file__)


def _cost(problem: AdaptivePool2dProblem, device: Device) -> float:
    return cost(problem, LANES)


@adaptive_avg_pool2d.kernel("warp", backend="cuda", cost=_cost)
def average(outs, ins, problem, work):
    """y = mean of the bin."""
    run = launcher(SOURCE, problem)
    run.each_warp("adaptive_avg_pool2d", outs[0].size, *outs, *ins, struct(run, problem))
