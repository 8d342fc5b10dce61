"""vectorised: the mask from Philox words, 16 bytes a thread."""

import numpy as np

from gpuconv.cuda import Source
from gpuconv.random import keep_threshold

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from .op import dropout

SOURCE = Source(__file__)


@dropout.kernel("vectorised", backend="cuda", cost=streaming(dropout, VECTOR))
def run(outs, ins, problem, work):
    """y = x * (gain where the unit stays, else 0)."""
    (y,), (x, *place), launch = outs, ins, Launcher(SOURCE, problem)
    options = np.uint64(keep_threshold(problem.p)), launch.real(problem.gain)
    launch.each_vector("dropout", (y, x), *place, *options)
