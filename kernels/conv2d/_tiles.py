"""Tiles of positions that a block keeps in shared memory: how large they are for a problem.

Outputs and input gradients are one computation, a correlation (window.cuh); here are its sizes.
"""

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

import numpy as np

from gpuconv.shapes import Pair

from .._cuda import LANES, ceil_div
from .op import Conv2dProblem

SHARED = 48 << 10  # bytes of shared memory that a block may have unasked, on every GPU


class Tile(NamedTuple):
    """The fields of window.cuh's Tile, in its order."""

    rows: int
    cols: int
    source_rows: int
    source_cols: int
    channels: int
    sets: int

    @property
    def positions(self) -> int:
        """Results of one plane."""
        return self.rows * self.cols

    @property
    def window(self) -> int:
        """Elements of one plane of sources."""
        return self.source_rows * self.source_cols


class Correlation(NamedTuple):
    """Sizes of outputs from inputs, or of input gradients of one class from output gradients.

    Pairs are of rows and columns; ``results`` is the largest class's, and ``taps``. ``channels``
    of results and of ``sources`` are one group's.
    """

    results: Pair
    stride: Pair
    dilation: Pair
    taps: Pair
    channels: int
    sources: int
    classes: int

    def source(self, rows: int, cols: int) -> Pair:
        """Rows and columns of what a tile of results is a sum of."""
        axes = zip((rows, cols), self.stride, self.taps, self.dilation, strict=True)
        down, across = ((size - 1) * s + (t - 1) * d + 1 for size, s, t, d in axes)
        return down, across

    def tiles(self, tile: Tile) -> int:
        """Tiles over one plane of results, every class's."""
        rows, cols = self.results
        return self.classes * ceil_div(rows, tile.rows) * ceil_div(cols, tile.cols)


def outputs(problem: Conv2dProblem) -> Correlation:
    """The convolution itself."""
    results, taps = (problem.p, problem.q), (problem.r, problem.s)
    sizes = problem.kg, problem.cg, 1
    return Correlation(results, problem.stride, problem.dilation, taps, *sizes)


def inputs(problem: Conv2dProblem) -> Correlation:
    """Its data gradient: every class modulo the stride is a correlation of stride 1."""
    (down, across), (along_h, along_w) = problem.stride, problem.dilation
    steps = down // gcd(down, along_h), across // gcd(across, along_w)
    return Correlation(
        results=(ceil_div(problem.h, down), ceil_div(problem.w, across)),
        stride=(1, 1),
        dilation=(steps[0] * along_h // down, steps[1] * along_w // across),
        taps=(ceil_div(problem.r, steps[0]), ceil_div(problem.s, steps[1])),
        channels=problem.cg,
        sources=problem.kg,
        classes=down * across,
    )


def even(size: int, most: int) -> int:
    """Length of an axis's parts: as few as can be, and none much shorter than the others."""
    return ceil_div(size, ceil_div(size, max(1, most)))


def rectangles(view: Correlation, most: int) -> Iterator[tuple[int, int]]:
    """Rows and columns of tiles of at most ``most`` results, the largest first.

    As wide as a warp, so that reads coalesce; wider where the plane has too few rows.
    """
    while most:
        cols = even(view.results[1], min(most, max(LANES, most // view.results[0])))
        yield even(view.results[0], most // cols), cols
        most //= 2


def elements(problem: Conv2dProblem, nbytes: int = SHARED) -> int:
    """How many of the problem's elements so many bytes hold."""
    return nbytes // np.dtype(problem.dtype).itemsize


def too_large(view: Correlation) -> str:
    """Why a problem is refused when not even one position's window fits."""
    rows, cols = view.source(1, 1)
    return (
        f"one position's window of {rows} x {cols} and its weights do not fit into "
        f"{SHARED >> 10} KB of shared memory; take direct or implicit_gemm"
    )
