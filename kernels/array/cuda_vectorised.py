"""vectorised: 16 bytes a thread; an op's entry has the op's name."""

from gpuconv.cuda import Source
from gpuconv.registry import Op

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from .op import accumulate, add, copy, zeros

SOURCE = Source(__file__)


def _register(op: Op) -> None:
    @op.kernel("vectorised", backend="cuda", cost=streaming(op, VECTOR))
    def run(outs, ins, problem, work):
        Launcher(SOURCE, problem).each_vector(op.name, (*outs, *ins))


for _op in (add, accumulate, copy, zeros):
    _register(_op)
