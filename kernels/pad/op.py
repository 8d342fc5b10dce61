"""pad and pad_backward: declarations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import EXACT, Op
from gpuconv.shapes import Pair, Shape


@dataclass(frozen=True)
class PadProblem(Problem):
    """``padding`` is (before, after) for every axis; ``value`` fills the border."""

    shape: Shape
    padding: tuple[Pair, ...]
    value: float = 0.0

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x and of the padded y."""
        padded = (size + sum(pair) for size, pair in zip(self.shape, self.padding, strict=True))
        return {"x": self.shape, "y": tuple(padded)}

    @property
    def inside(self) -> tuple[slice, ...]:
        """The array as an index of the padded one."""
        return tuple(
            slice(before, before + size)
            for size, (before, _) in zip(self.shape, self.padding, strict=True)
        )


def _shifted(problem: PadProblem, index: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i + before for i, (before, _) in zip(index, problem.padding, strict=True))


def reference(problem: PadProblem, x: np.ndarray) -> np.ndarray:
    """y = x inside, the value (in the problem's dtype) in the border."""
    y = np.full(problem.spec("y")[0], np.dtype(problem.dtype).type(problem.value), np.float64)
    for i in np.ndindex(problem.shape):
        y[_shifted(problem, i)] = x[i]
    return y


def reference_backward(problem: PadProblem, dy: np.ndarray) -> np.ndarray:
    """dx = dy inside."""
    dx = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        dx[i] = dy[_shifted(problem, i)]
    return dx


def cases() -> Iterator[PadProblem]:
    """Images, one-sided borders, other values, no border, no dimension, empty batch."""
    image = ((0, 0), (0, 0), (1, 2), (0, 3))
    yield PadProblem((2, 3, 4, 5), image)
    yield PadProblem((2, 3, 4, 5), image, 0.1)
    yield PadProblem((2, 3), ((1, 0), (0, 2)), float("-inf"))
    yield PadProblem((5,), ((2, 1),), float("nan"))
    yield PadProblem((2, 3), ((0, 0), (0, 0)))
    yield PadProblem((), ())
    yield PadProblem((0, 2, 3, 3), image)


pad = Op(
    "pad",
    PadProblem,
    ins=("x",),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=EXACT,
)
pad_backward = Op(
    "pad_backward",
    PadProblem,
    ins=("dy",),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=EXACT,
)
