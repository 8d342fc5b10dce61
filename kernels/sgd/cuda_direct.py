"""direct: one thread per parameter, the whole flat array in one launch."""

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from ._cuda import arguments
from .op import sgd

SOURCE = Source(__file__)


@sgd.kernel("direct", backend="cuda", cost=streaming(sgd, SCALAR))
def run(outs, ins, problem, work):
    """One step of either form; see the reference for the formulas."""
    launch = Launcher(SOURCE, problem)
    arrays, rest = arguments(launch, problem, outs, ins)
    launch.each("sgd", problem.size, *arrays, *rest)
