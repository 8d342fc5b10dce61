"""dropout: declaration (Srivastava et al. 2014, in the inverted form of section 10).

One op for both directions: the gradient is dropout of dy with the same seed, step and stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.random import keep_threshold
from gpuconv.registry import Op

from ..elementwise import PLACE, DrawingProblem, case_shapes, draw, draw_words, per_element


@dataclass(frozen=True)
class DropoutProblem(DrawingProblem):
    """``p`` in [0, 1] is the probability that a unit is dropped."""

    p: float = 0.5

    @property
    def gain(self) -> float:
        """What a unit that stays is multiplied by: 1 / (1 - p); 0 where none stays."""
        return 0.0 if self.p == 1.0 else 1.0 / (1.0 - self.p)


def reference(problem: DropoutProblem, x: np.ndarray, *place: np.ndarray) -> np.ndarray:
    """y = x / (1 - p) where the word < floor((1 - p) 2^32), else 0 * x: NaN stays NaN."""
    y = np.zeros(problem.shape)
    drawn = draw_words(place, problem.shape)
    with np.errstate(invalid="ignore"):
        for i in np.ndindex(problem.shape):
            kept = int(drawn[i]) < keep_threshold(problem.p)
            y[i] = x[i] * (problem.gain if kept else 0.0)
    return y


def scale(problem: DropoutProblem, outs: tuple, *arrays: np.ndarray) -> np.ndarray:
    """|y|: the gain and the product are rounded. 0 where dropped: the mask is exact."""
    return np.where(np.isfinite(outs[0]), np.abs(outs[0]), 0.0)


def cases() -> Iterator[DropoutProblem]:
    """The shapes at p = 0.5; then p = 0.3, few kept, all or none; words that are the threshold."""
    for shape in case_shapes():
        yield DropoutProblem(shape)
    for p in (0.3, 0.0, 0.97, 1.0):
        yield DropoutProblem((3, 67), p)
    for at in (20, 36):  # among others, and the last one, which vectors leave over
        word = int(draw_words(PLACE, (37,))[at])
        yield DropoutProblem((37,), 1.0 - word * 2.0**-32)


dropout = Op(
    "dropout",
    DropoutProblem,
    ins=("x", "seed", "step", "stream"),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=per_element(1),
    draw=draw,
)
