"""philox: the mask from Philox words, whole arrays at once."""

import numpy as np

from gpuconv.random import keep_threshold, words

from .op import dropout


@dropout.kernel("philox", backend="numpy")
def run(outs, ins, problem, work):
    """y = x * (gain where the unit stays, else 0)."""
    (y,), (x, *place) = outs, ins
    drawn = words(*map(int, place), x.size).reshape(x.shape)
    np.copyto(y, drawn < keep_threshold(problem.p))
    y *= problem.gain
    with np.errstate(invalid="ignore"):
        y *= x
