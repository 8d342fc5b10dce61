"""vectorised: 16 bytes a thread, the whole flat array in one launch."""

from gpuconv.cuda import Source

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from ._cuda import struct
from .op import adam

SOURCE = Source(__file__)


@adam.kernel("vectorised", backend="cuda", cost=streaming(adam, VECTOR))
def run(outs, ins, problem, work):
    """One step in place; the bias corrections are taken in double."""
    gradient, lr, step = ins
    arrays = *outs, gradient
    Launcher(SOURCE, problem).each_vector("adam", arrays, lr, step, struct(problem))
