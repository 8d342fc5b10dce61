"""concat and concat_backward: declarations.

An op has a fixed number of arrays, a concatenation any number: so one call writes one part into the
joined array, which arrives allocated (an update); what lies outside the part is left alone. The
gradient of a part is cut out of the joined gradient in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import EXACT, Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class ConcatProblem(Problem):
    """A part of ``shape`` that starts at ``offset`` of the ``total`` along ``axis``."""

    shape: Shape
    axis: int
    offset: int
    total: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the part x and of the joined array y."""
        joined = (*self.shape[: self.axis], self.total, *self.shape[self.axis + 1 :])
        return {"x": self.shape, "y": joined}

    def place(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element of the part lies in the joined array."""
        axis = self.axis
        return (*index[:axis], index[axis] + self.offset, *index[axis + 1 :])

    @property
    def part(self) -> tuple[slice, ...]:
        """The part as an index of the joined array."""
        along = slice(self.offset, self.offset + self.shape[self.axis])
        return (*(slice(None),) * self.axis, along)


def reference(problem: ConcatProblem, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y, with x where the part lies."""
    after = y.copy()
    for i in np.ndindex(problem.shape):
        after[problem.place(i)] = x[i]
    return after


def reference_backward(problem: ConcatProblem, dy: np.ndarray) -> np.ndarray:
    """dx: the part of dy."""
    dx = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        dx[i] = dy[problem.place(i)]
    return dx


def cases() -> Iterator[ConcatProblem]:
    """First, middle and last part; every axis; an empty part and an empty batch."""
    yield ConcatProblem((2, 3, 5, 4), 1, 0, 7)
    yield ConcatProblem((2, 3, 5, 4), 1, 2, 7)
    yield ConcatProblem((2, 3, 5, 4), 1, 4, 7)
    yield ConcatProblem((2, 3, 5, 4), 0, 1, 3)
    yield ConcatProblem((2, 3, 5, 4), 3, 1, 6)
    yield ConcatProblem((5,), 0, 2, 8)
    yield ConcatProblem((2, 0, 3), 1, 1, 2)
    yield ConcatProblem((0, 2, 3), 1, 1, 4)


concat = Op(
    "concat",
    ConcatProblem,
    ins=("x",),
    outs=("y",),
    updates=("y",),
    reference=reference,
    cases=cases,
    scale=EXACT,
)
concat_backward = Op(
    "concat_backward",
    ConcatProblem,
    ins=("dy",),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=EXACT,
)
