"""philox: slopes from Philox words, whole arrays at once."""

import numpy as np

from .._cpu_cost import streaming
from .._numpy import branch
from ..elementwise import draw_words
from .op import RreluProblem, rrelu, rrelu_backward


def _factors(problem: RreluProblem, out: np.ndarray, x: np.ndarray, place: tuple) -> None:
    """out = slope where x <= 0, else 1."""
    slopes = np.asarray(draw_words(place, x.shape) >> 8).astype(np.float32)
    slopes *= np.float32(2.0**-24)
    slopes *= np.float32(problem.upper - problem.lower)
    slopes += np.float32(problem.lower)
    branch(out, x, slopes)


@rrelu.kernel("philox", backend="numpy", cost=streaming(rrelu, "numpy", 60.0))
def forward(outs, ins, problem, work):
    """y = x * (slope where x <= 0, else 1)."""
    (y,), (x, *place) = outs, ins
    _factors(problem, y, x, place)
    with np.errstate(invalid="ignore"):
        y *= x


@rrelu_backward.kernel("philox", backend="numpy", cost=streaming(rrelu_backward, "numpy", 60.0))
def backward(outs, ins, problem, work):
    """dx = dy * (slope where x <= 0, else 1)."""
    (dx,), (dy, x, *place) = outs, ins
    _factors(problem, dx, x, place)
    with np.errstate(invalid="ignore"):
        dx *= dy
