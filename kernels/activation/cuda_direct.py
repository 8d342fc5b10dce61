"""direct: one thread per element; entries have a prefix, for CUDA knows a tanh."""

from gpuconv.cuda import Source
from gpuconv.registry import Op

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from ._cuda import OPS, options

SOURCE = Source(__file__)


def _register(op: Op) -> None:
    @op.kernel("direct", backend="cuda", cost=streaming(op, SCALAR))
    def run(outs, ins, problem, work):
        launch = Launcher(SOURCE, problem)
        numbers = map(launch.real, options(problem))
        launch.each(f"activation_{op.name}", outs[0].size, *outs, *ins, *numbers)


for _op in OPS:
    _register(_op)
