"""warp: one warp for each average, for large windows."""

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import LANES
from ._cuda import cost, launcher, struct
from .op import AvgPool2dProblem, avg_pool2d

SOURCE = Source(__file__)


def _cost(problem: AvgPool2dProblem, device: Device) -> float:
    return cost(problem, LANES)


@avg_pool2d.kernel("warp", backend="cuda", cost=_cost)
def average(outs, ins, problem, work):
    """y = sum of the window / divisor."""
    run = launcher(SOURCE, problem)
    run.each_warp("avg_pool2d", outs[0].size, *outs, *ins, struct(run, problem))
