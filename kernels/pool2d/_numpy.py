"""What the NumPy poolings share: which outputs and inputs a window position joins, and blocks."""

from collections.abc import Iterator

import numpy as np

from .op import Pool2dProblem

TARGET = 1 << 18  # bytes of output worked on at once, so that the temporaries stay in the cache


def joins(problem: Pool2dProblem, axis: int) -> Iterator[tuple[int, slice, slice]]:
    """For each window position along an axis: its offset, the outputs, and the inputs they meet.

    Outputs whose position lies in the padding or beyond are left out; both slices have one length.
    """
    size, stride = (problem.h, problem.w)[axis], problem.stride[axis]
    for tap in range(problem.kernel[axis]):
        offset = tap * problem.dilation[axis]
        start = offset - problem.padding[axis][0]
        first = max(0, -(start // stride))
        last = min(problem.size(axis) - 1, (size - 1 - start) // stride)
        if first <= last:
            met = slice(first * stride + start, last * stride + start + 1, stride)
            yield offset, slice(first, last + 1), met


def blocks(problem: Pool2dProblem) -> Iterator[slice]:
    """The N * C planes in slices of about TARGET bytes of output."""
    plane = max(1, problem.p * problem.q) * np.dtype(problem.dtype).itemsize
    step, total = max(1, TARGET // plane), problem.n * problem.c
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def planes(array: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (N * C, H, W)."""
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
