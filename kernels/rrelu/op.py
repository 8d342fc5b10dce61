"""rrelu and rrelu_backward, as in training: declarations (Xu, Wang, Chen and Li 2015, section 2.4).

The slope of an element is lower + (upper - lower) * u, u = the upper 24 bits of its Philox word
times 2^-24, in float32 whatever the problem's dtype, the product and the sum each rounded to
nearest (no fused multiply-add): the same bits on every backend, so that results are exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.registry import EXACT, Op

from ..elementwise import DrawingProblem, case_shapes, draw, draw_words, per_element


@dataclass(frozen=True)
class RreluProblem(DrawingProblem):
    """Slopes are drawn from [lower, upper)."""

    lower: float = 1 / 8
    upper: float = 1 / 3


def _times(problem: RreluProblem, values: np.ndarray, x: np.ndarray, place: tuple) -> np.ndarray:
    """values * slope where x <= 0, else values, rounded once to the problem's dtype."""
    low, span = np.float32(problem.lower), np.float32(problem.upper - problem.lower)
    rounded = np.dtype(problem.dtype).type
    result = np.zeros(problem.shape)
    drawn = draw_words(place, problem.shape)
    for i in np.ndindex(problem.shape):
        slope = low + span * (np.float32(drawn[i] >> 8) * np.float32(2.0**-24))
        result[i] = rounded(np.float64(slope) * values[i]) if x[i] <= 0 else values[i]
    return result


def reference(problem: RreluProblem, x: np.ndarray, *place: np.ndarray) -> np.ndarray:
    """y = slope * x where x <= 0, else x."""
    return _times(problem, x, x, place)


def reference_backward(
    problem: RreluProblem, dy: np.ndarray, x: np.ndarray, *place: np.ndarray
) -> np.ndarray:
    """dx = slope * dy where x <= 0, else dy, with the forward pass's slopes drawn again."""
    return _times(problem, dy, x, place)


def cases() -> Iterator[RreluProblem]:
    """The shapes with the usual range, then one slope only, and a range across 0."""
    for shape in case_shapes():
        yield RreluProblem(shape)
    yield RreluProblem((37,), 0.25, 0.25)
    yield RreluProblem((37,), -0.5, 1.5)


rrelu = Op(
    "rrelu",
    RreluProblem,
    ins=("x", "seed", "step", "stream"),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=EXACT,
    flops=per_element(1),
    draw=draw,
)
rrelu_backward = Op(
    "rrelu_backward",
    RreluProblem,
    ins=("dy", "x", "seed", "step", "stream"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=EXACT,
    flops=per_element(1),
    draw=draw,
)
