"""vectorised: 16 bytes a thread; entries as in direct."""

from gpuconv.cuda import Source
from gpuconv.registry import Op

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from ._cuda import OPS, options

SOURCE = Source(__file__)


def _register(op: Op) -> None:
    @op.kernel("vectorised", backend="cuda", cost=streaming(op, VECTOR))
    def run(outs, ins, problem, work):
        launch = Launcher(SOURCE, problem)
        numbers = map(launch.real, options(problem))
        launch.each_vector(f"activation_{op.name}", (*outs, *ins), *numbers)


for _op in OPS:
    _register(_op)
