"""What the CUDA kernels of adaptive pooling share: the problem as their struct, bounds, a cost."""

from math import prod
from typing import Any

from gpuconv.cuda import Source

from .. import _cost
from .._cuda import Launcher, ceil_div
from .op import AdaptivePool2dProblem, adaptive_avg_pool2d


def launcher(source: Source, problem: AdaptivePool2dProblem) -> Launcher:
    """A launcher whose indices reach the products that bins begin and end at."""
    products = (problem.h + 1) * (problem.p + 1), (problem.w + 1) * (problem.q + 1)
    return Launcher(source, problem, *products)


def struct(run: Launcher, problem: AdaptivePool2dProblem) -> Any:
    """The problem as the kernels' Bins."""
    return run.struct(h=problem.h, w=problem.w, p=problem.p, q=problem.q)


def cost(problem: AdaptivePool2dProblem, lanes: int) -> float:
    """Seconds of averages by ``lanes`` threads each."""
    outputs = prod(problem.spec("y")[0])
    terms = ceil_div(adaptive_avg_pool2d.flops(problem), max(outputs, 1))
    return _cost.sums(problem, results=outputs, terms=terms, lanes=lanes)
