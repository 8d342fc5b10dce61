"""add, accumulate, copy, zeros, channel_sum: declarations."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import EXACT, LINEAR, Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class ArrayProblem(Problem):
    """One shape that every array has."""

    shape: Shape

    def shapes(self) -> dict[str, Shape]:
        """Shapes of a, b, x, y and total."""
        return dict.fromkeys(("a", "b", "x", "y", "total"), self.shape)


@dataclass(frozen=True)
class ChannelSumProblem(Problem):
    """An array whose axis 1 is kept."""

    formatted = ("x",)

    shape: Shape

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x and y."""
        return {"x": self.shape, "y": self.shape[1:2]}


def reference_add(problem: ArrayProblem, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """y = a + b, element by element."""
    y = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        y[i] = a[i] + b[i]
    return y


def reference_accumulate(problem: ArrayProblem, x: np.ndarray, total: np.ndarray) -> np.ndarray:
    """total + x, element by element."""
    return reference_add(problem, x, total)


def reference_copy(problem: ArrayProblem, x: np.ndarray) -> np.ndarray:
    """y = x, element by element."""
    y = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        y[i] = x[i]
    return y


def reference_zeros(problem: ArrayProblem) -> np.ndarray:
    """Zero everywhere."""
    return np.zeros(problem.shape)


def reference_channel_sum(problem: ChannelSumProblem, x: np.ndarray) -> np.ndarray:
    """y[c] = sum of x over every axis but axis 1."""
    y = np.zeros(problem.shape[1])
    for i in np.ndindex(problem.shape):
        y[i[1]] += x[i]
    return y


def cases() -> Iterator[ArrayProblem]:
    """Scalars, vectors, images, empty arrays."""
    for shape in ((), (1,), (7,), (2, 3), (2, 3, 5, 7), (0, 3, 2)):
        yield ArrayProblem(shape)


def channel_cases() -> Iterator[ChannelSumProblem]:
    """Batches of rows and of images, one channel, empty batch, sums that slices do not divide."""
    for shape in ((5, 3), (2, 3, 5, 7), (1, 1, 1, 1), (4, 1, 9, 9), (0, 3, 2, 2), (300, 2)):
        yield ChannelSumProblem(shape)
    yield ChannelSumProblem((3, 2, 11, 13))


def _per_element(problem: ArrayProblem) -> int:
    return prod(problem.shape)


add = Op(
    "add",
    ArrayProblem,
    ins=("a", "b"),
    outs=("y",),
    pointwise=True,
    reference=reference_add,
    cases=cases,
    scale=LINEAR,
    flops=_per_element,
)
accumulate = Op(
    "accumulate",
    ArrayProblem,
    ins=("x",),
    outs=("total",),
    updates=("total",),
    reference=reference_accumulate,
    cases=cases,
    scale=LINEAR,
    flops=_per_element,
)
copy = Op(
    "copy",
    ArrayProblem,
    ins=("x",),
    outs=("y",),
    reference=reference_copy,
    cases=cases,
    scale=EXACT,
)
zeros = Op(
    "zeros",
    ArrayProblem,
    ins=(),
    outs=("y",),
    reference=reference_zeros,
    cases=cases,
    scale=EXACT,
)
channel_sum = Op(
    "channel_sum",
    ChannelSumProblem,
    ins=("x",),
    outs=("y",),
    reference=reference_channel_sum,
    cases=channel_cases,
    scale=LINEAR,
    flops=_per_element,
)
