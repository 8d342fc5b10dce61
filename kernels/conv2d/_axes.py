"""One axis of a convolution, forward or backward, as a walk over its source without strides back.

The data gradient of a strided convolution falls apart: inputs that lie ``stride`` apart are met by
the same weights, so each such class of them is a convolution of dy with stride 1 and few weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import gcd

from .op import Conv2dProblem


@dataclass(frozen=True)
class Axis:
    """Result i is the sum over j of weight ``taps[j]`` times source
    ``start + i * stride + j * step``; it belongs at ``first + i * every``."""

    results: int
    taps: tuple[int, ...]
    start: int
    stride: int
    step: int
    first: int = 0
    every: int = 1

    @property
    def last(self) -> int:
        """The furthest source that is read."""
        return self.start + (self.results - 1) * self.stride + (len(self.taps) - 1) * self.step


Axes = tuple[Axis, Axis]


def forward(problem: Conv2dProblem) -> Axes:
    """Rows and columns of the convolution itself."""
    rows, cols = (
        Axis(size, tuple(range(taps)), -border[0], stride, dilation)
        for size, taps, border, stride, dilation in zip(
            (problem.p, problem.q),
            (problem.r, problem.s),
            problem.padding,
            problem.stride,
            problem.dilation,
            strict=True,
        )
    )
    return rows, cols


def backward(problem: Conv2dProblem) -> list[Axes]:
    """Rows and columns of every class of the data gradient that any weight meets."""
    sizes, taps = (problem.h, problem.w), (problem.r, problem.s)
    options = zip(sizes, taps, problem.stride, problem.padding, problem.dilation, strict=True)
    rows, cols = (list(_classes(*one[:3], one[3][0], one[4])) for one in options)
    return [(row, col) for row, col in product(rows, cols)]


def _classes(size: int, taps: int, stride: int, border: int, dilation: int) -> Iterator[Axis]:
    """Inputs first, first + stride, ...; the weights that meet them, last one first."""
    for first in range(min(stride, size)):
        met = [r for r in range(taps) if (first + border - r * dilation) % stride == 0]
        if met:
            start = (first + border - met[-1] * dilation) // stride
            results = -(-(size - first) // stride)
            step = dilation // gcd(stride, dilation)
            yield Axis(results, tuple(reversed(met)), start, 1, step, first, stride)


def is_whole(problem: Conv2dProblem, classes: list[Axes]) -> bool:
    """Does every input belong to a class?"""
    return sum(rows.results * cols.results for rows, cols in classes) == problem.h * problem.w


def border(classes: list[Axes], size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros that the source needs before and behind it on both axes: (top, bottom), (left, right).

    ``size`` is its height and width.
    """
    pairs = []
    for axis, extent in enumerate(size):
        walks = [both[axis] for both in classes]
        before = max((-walk.start for walk in walks), default=0)
        behind = max((walk.last - extent + 1 for walk in walks), default=0)
        pairs.append((max(0, before), max(0, behind)))
    return pairs[0], pairs[1]
