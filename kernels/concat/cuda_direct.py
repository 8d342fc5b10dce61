"""direct: one thread per element of the part."""

from math import prod
from typing import Any

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from .op import ConcatProblem, concat, concat_backward

SOURCE = Source(__file__)


def _launch(entry: str, problem: ConcatProblem, *arrays: Any) -> None:
    """A thread for each element of the part."""
    shape, axis = problem.shape, problem.axis
    behind = prod(shape[axis + 1 :])
    run = Launcher(SOURCE, problem)
    rows = run.struct(
        part=shape[axis] * behind, whole=problem.total * behind, begin=problem.offset * behind
    )
    run.each(entry, prod(shape), *arrays, rows)


@concat.kernel("direct", backend="cuda", cost=streaming(concat, SCALAR))
def forward(outs, ins, problem, work):
    """y[part] = x."""
    _launch("concat", problem, *outs, *ins)


@concat_backward.kernel("direct", backend="cuda", cost=streaming(concat_backward, SCALAR))
def backward(outs, ins, problem, work):
    """dx = dy[part]."""
    _launch("concat_backward", problem, *outs, *ins)
