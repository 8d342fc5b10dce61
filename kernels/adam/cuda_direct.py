"""direct: one thread per parameter, the whole flat array in one launch."""

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from ._cuda import struct
from .op import adam

SOURCE = Source(__file__)


@adam.kernel("direct", backend="cuda", cost=streaming(adam, SCALAR))
def run(outs, ins, problem, work):
    """One step in place; the bias corrections are taken in double."""
    Launcher(SOURCE, problem).each("adam", problem.size, *outs, *ins, struct(problem))
