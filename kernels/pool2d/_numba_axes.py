"""Which elements meet which windows along an axis, as tables: the walk of every CPU pooling.

Result ``i`` is made of the sources ``begin[i]``, ``begin[i] + step``, ..., ``count[i]`` of them.
Forward a result is a window and a source an element of the input; backward they change places.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np

from .op import AvgPool2dProblem, Pool2dProblem


@dataclass(frozen=True, eq=False)
class Axis:
    """The sources of every result; a source's and a result's factor."""

    begin: np.ndarray
    count: np.ndarray
    step: int
    source: np.ndarray
    result: np.ndarray


def axis(first: np.ndarray, last: np.ndarray, step: int = 1) -> tuple[np.ndarray, np.ndarray, int]:
    """The tables of results that are made of sources ``first``, first + step, ..., ``last``."""
    count = np.maximum(0, (last - first) // step + 1)
    return first.astype(np.int64), count.astype(np.int64), step


@lru_cache
def forward(problem: Pool2dProblem) -> tuple[Axis, Axis]:
    """Rows and columns of the windows; each window's factor divides it by its size."""
    return _forward(problem, 0), _forward(problem, 1)


@lru_cache
def backward(problem: Pool2dProblem) -> tuple[Axis, Axis]:
    """Rows and columns of the input; each window's factor divides what it hands back."""
    return _backward(problem, 0), _backward(problem, 1)


def _starts(problem: Pool2dProblem, along: int) -> np.ndarray:
    return np.arange(problem.size(along)) * problem.stride[along] - problem.padding[along][0]


def _forward(problem: Pool2dProblem, along: int) -> Axis:
    start, step = _starts(problem, along), problem.dilation[along]
    size, taps = (problem.h, problem.w)[along], problem.kernel[along]
    first = start + -(np.minimum(start, 0) // step) * step
    last = np.minimum(size - 1, start + (taps - 1) * step)
    ones = np.ones(size, np.float32)
    return Axis(*axis(first, last, step), ones, _shares(problem, along))


def _backward(problem: Pool2dProblem, along: int) -> Axis:
    """Windows that an element meets; where the window is dilated, only every step-th of them."""
    stride, gap = problem.stride[along], problem.dilation[along]
    size, taps = (problem.h, problem.w)[along], problem.kernel[along]
    reach = np.arange(size) + problem.padding[along][0]
    step = gap // gcd(stride, gap)
    low = np.maximum(0, -(((taps - 1) * gap - reach) // stride))
    last = np.minimum(problem.size(along) - 1, reach // stride)
    fits = (reach - (low + np.arange(step)[:, None]) * stride) % gap == 0
    first = np.where(fits.any(0), low + fits.argmax(0), last + 1)
    ones = np.ones(size, np.float32)
    return Axis(*axis(first, last, step), _shares(problem, along), ones)


def _shares(problem: Pool2dProblem, along: int) -> np.ndarray:
    """1 / the positions along the axis that each window divides by."""
    if not isinstance(problem, AvgPool2dProblem):
        return np.ones(problem.size(along), np.float32)
    size, (lead, trail) = (problem.h, problem.w)[along], problem.padding[along]
    start = _starts(problem, along)
    stop = start + problem.kernel[along]
    if problem.count_include_pad:
        return (1 / (np.minimum(stop, size + trail) - start)).astype(np.float32)
    return (1 / (np.minimum(stop, size) - np.maximum(start, 0))).astype(np.float32)
