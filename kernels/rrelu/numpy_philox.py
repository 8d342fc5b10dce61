"""philox: slopes from Philox words, whole arrays at once."""

import numpy as np

from gpuconv.random import words

from .._numpy import branch
from .op import RreluProblem, rrelu, rrelu_backward


def _factors(problem: RreluProblem, out: np.ndarray, x: np.ndarray, place: tuple) -> None:
    """out = slope where x <= 0, else 1."""
    drawn = words(*map(int, place), x.size).reshape(x.shape)
    slopes = np.asarray(drawn >> 8).astype(np.float32)
    slopes *= np.float32(2.0**-24)
    slopes *= np.float32(problem.upper - problem.lower)
    slopes += np.float32(problem.lower)
    branch(out, x, slopes)


@rrelu.kernel("philox", backend="numpy")
def forward(outs, ins, problem, work):
    """y = x * (slope where x <= 0, else 1)."""
    (y,), (x, *place) = outs, ins
    _factors(problem, y, x, place)
    with np.errstate(invalid="ignore"):
        y *= x


@rrelu_backward.kernel("philox", backend="numpy")
def backward(outs, ins, problem, work):
    """dx = dy * (slope where x <= 0, else 1)."""
    (dx,), (dy, x, *place) = outs, ins
    _factors(problem, dx, x, place)
    with np.errstate(invalid="ignore"):
        dx *= dy
