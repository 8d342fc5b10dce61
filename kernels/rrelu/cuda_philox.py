"""philox: slopes from Philox words, four elements to a thread."""

from typing import Any

import numpy as np

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher, ceil_div
from .op import RreluProblem, rrelu, rrelu_backward

SOURCE = Source(__file__)


def _launch(entry: str, problem: RreluProblem, out: Any, *ins: Any) -> None:
    """A thread for each four elements of ``out``."""
    run = Launcher(SOURCE, problem)
    bounds = np.float32(problem.lower), np.float32(problem.upper - problem.lower)
    run.each(entry, ceil_div(out.size, 4), out, *ins, *bounds, run.index(out.size))


@rrelu.kernel("philox", backend="cuda", cost=streaming(rrelu, SCALAR))
def forward(outs, ins, problem, work):
    """y = slope * x where x <= 0, else x."""
    _launch("rrelu", problem, *outs, *ins)


@rrelu_backward.kernel("philox", backend="cuda", cost=streaming(rrelu_backward, SCALAR))
def backward(outs, ins, problem, work):
    """dx = slope * dy where x <= 0, else dy."""
    _launch("rrelu_backward", problem, *outs, *ins)
