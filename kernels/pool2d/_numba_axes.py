"""Which windows meet which elements along an axis, as tables: the walk of every CPU pooling.

Result ``i`` is made of the sources ``begin[i]``, ``begin[i] + step``, ..., ``count[i]`` of them.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np

from .op import AvgPool2dProblem, Pool2dProblem


@dataclass(frozen=True, eq=False)
class Axis:
    """The sources of every result, and what they are divided by."""

    begin: np.ndarray
    count: np.ndarray
    step: int
    shares: np.ndarray

    @classmethod
    def between(
        cls, first: np.ndarray, last: np.ndarray, step: int = 1, divisors: np.ndarray | None = None
    ) -> "Axis":
        """Sources ``first``, first + step, ... up to ``last`` for every result."""
        count = np.maximum(0, (last - first) // step + 1)
        shares = 1 / (np.ones(len(first)) if divisors is None else divisors)
        return cls(first.astype(np.int64), count.astype(np.int64), step, shares.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Windows:
    """The elements of every row and column of windows, the windows that a row lies in, and W."""

    rows: Axis
    cols: Axis
    back: Axis
    width: int

    @property
    def sizes(self) -> dict[str, int]:
        """H, W, P and Q."""
        lengths = len(self.back.begin), self.width, len(self.rows.begin), len(self.cols.begin)
        return dict(zip("hwpq", lengths, strict=True))


@lru_cache
def windows(problem: Pool2dProblem) -> Windows:
    """The tables of a pooling."""
    return Windows(_forward(problem, 0), _forward(problem, 1), _backward(problem), problem.w)


def _starts(problem: Pool2dProblem, along: int) -> np.ndarray:
    return np.arange(problem.size(along)) * problem.stride[along] - problem.padding[along][0]


def _forward(problem: Pool2dProblem, along: int) -> Axis:
    start, step = _starts(problem, along), problem.dilation[along]
    size, taps = (problem.h, problem.w)[along], problem.kernel[along]
    first = start + -(np.minimum(start, 0) // step) * step
    last = np.minimum(size - 1, start + (taps - 1) * step)
    return Axis.between(first, last, step, _divisors(problem, along))


def _divisors(problem: Pool2dProblem, along: int) -> np.ndarray | None:
    """The positions along the axis that each window divides by."""
    if not isinstance(problem, AvgPool2dProblem):
        return None
    size, (_, trail) = (problem.h, problem.w)[along], problem.padding[along]
    start = _starts(problem, along)
    stop = start + problem.kernel[along]
    if problem.count_include_pad:
        return np.minimum(stop, size + trail) - start
    return np.minimum(stop, size) - np.maximum(start, 0)


def _backward(problem: Pool2dProblem) -> Axis:
    """The rows of windows that each row lies in: every ``step``-th where they are dilated."""
    stride, gap, taps = problem.stride[0], problem.dilation[0], problem.kernel[0]
    reach = np.arange(problem.h) + problem.padding[0][0]
    step = gap // gcd(stride, gap)
    low = np.maximum(0, -(((taps - 1) * gap - reach) // stride))
    last = np.minimum(problem.p - 1, reach // stride)
    fits = (reach - (low + np.arange(step)[:, None]) * stride) % gap == 0
    first = np.where(fits.any(0), low + fits.argmax(0), last + 1)
    return Axis.between(first, last, step)
