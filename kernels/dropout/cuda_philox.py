"""philox: the mask from Philox words, four elements to a thread."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.random import keep_threshold

from .._cost import SCALAR, streaming
from .._cuda import Launcher, ceil_div
from .op import dropout

SOURCE = Source(__file__)


@dropout.kernel("philox", backend="cuda", cost=streaming(dropout, SCALAR))
def run(outs, ins, problem, work):
    """y = x * (gain where the unit stays, else 0)."""
    (y,), launch = outs, Launcher(SOURCE, problem)
    options = np.uint64(keep_threshold(problem.p)), launch.real(problem.gain)
    size = launch.index(y.size)
    launch.each("dropout", ceil_div(y.size, 4), y, *ins, *options, size)
