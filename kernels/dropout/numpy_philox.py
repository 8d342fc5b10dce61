"""philox: the mask from Philox words, whole arrays at once."""

import numpy as np

from gpuconv.random import keep_threshold

from .._cpu_cost import streaming
from ..elementwise import draw_words
from .op import dropout


@dropout.kernel("philox", backend="numpy", cost=streaming(dropout, "numpy", 60.0))
def run(outs, ins, problem, work):
    """y = x * (gain where the unit stays, else 0)."""
    (y,), (x, *place) = outs, ins
    np.copyto(y, draw_words(place, x.shape) < keep_threshold(problem.p))
    y *= problem.gain
    with np.errstate(invalid="ignore"):
        y *= x
