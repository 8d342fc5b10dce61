"""Sizes, tiles and workspace of the CPU convolutions, worked out once for each problem."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from math import ceil

import numpy as np

from gpuconv import formats
from gpuconv.cpu import Outer, Product, simd
from gpuconv.cpu.tiles import UNROLLED as UNROLLED_POINTS

from . import _axes, _numba_blocks
from ._numba_blocks import Blocks, Roles
from .op import Conv2dProblem

BYTES = 4  # of a float32
LINE = 64  # bytes that everything in the workspace begins at a multiple of
TARGET = 16 << 20  # bytes of source and results worked on at once: a share of the last cache
TASKS = 32  # that an operation is cut into, at least, where it can be
CHAIN = 512  # terms of one sum, about, before it is added to the total
PIXEL = 1, 1, (1, 1), ((0, 0), (0, 0))  # window, stride and padding of a convolution 1 x 1
POINTS = 128  # outputs of which a weight gradient's operands stay in the first cache
LIGHT = 4  # times as much is read as slices of a weight gradient take, where slices are preferred
BUSY = 8  # sums that the CPU works on at once: two for each cycle until a sum can go on
UNROLLED = 16  # weights of a row that a tile's code writes out, at most


@dataclass(frozen=True)
class Cut:
    """``count`` equal pieces of ``size``, the last of ``last``."""

    count: int
    size: int
    last: int


def cut(total: int, most: int) -> Cut:
    """``total`` in as few pieces as it takes, as equal as they can be."""
    count = ceil(total / most)
    size = ceil(total / count)
    return Cut(count, size, total - size * (count - 1))


@dataclass(frozen=True, eq=False)
class Plan:
    """One convolution, or one of its gradients: the layout, the walks, and a padded source.

    ``outside`` and ``inside`` are the lanes of the result's and of the source's blocks as they come
    and go, 1 in NCHW. The source comes with ``whole`` rows and columns, of which every ``every``-th
    is read.
    """

    problem: Conv2dProblem
    roles: Roles
    blocks: Blocks
    classes: list[_axes.Axes]
    source: tuple[int, int]
    border: tuple[tuple[int, int], tuple[int, int]]
    is_backward: bool
    inside: int
    outside: int
    whole: tuple[int, int]
    every: tuple[int, int]

    @cached_property
    def padded(self) -> tuple[int, int]:
        """Height and width of the source with its zeros."""
        (top, bottom), (left, right) = self.border
        return self.source[0] + top + bottom, self.source[1] + left + right

    @cached_property
    def line(self) -> int:
        """Bytes of one padded row."""
        return BYTES * self.padded[1] * self.blocks.cell

    @cached_property
    def plane(self) -> int:
        """Bytes of one block of the source."""
        return self.padded[0] * self.line

    @cached_property
    def image(self) -> int:
        """Bytes of one image of the source."""
        return self.plane * len(self.blocks.sources)

    @cached_property
    def is_source_blocked(self) -> bool:
        """Does the source come in the blocks that are worked on?"""
        return _is_canonical(self.blocks.sources, self.inside)

    @cached_property
    def is_result_blocked(self) -> bool:
        """Does the result go in the blocks that are worked on?"""
        return _is_canonical(self.blocks.results, self.outside)

    @cached_property
    def is_whole(self) -> bool:
        """Is every result worked out?"""
        return _axes.is_whole(self.problem, self.classes)

    @property
    def target(self) -> tuple[int, int]:
        """Height and width of the result."""
        p = self.problem
        return (p.h, p.w) if self.is_backward else (p.p, p.q)

    @cached_property
    def reads_in_place(self) -> bool:
        """May the source be read where it lies?"""
        is_bare = self.border == ((0, 0), (0, 0)) and self.every == (1, 1)
        return self.is_source_blocked and is_bare

    @property
    def taken(self) -> tuple[int, int]:
        """Rows and columns of the source that are read."""
        down, across = self.every
        return ceil(self.whole[0] / down), ceil(self.whole[1] / across)

    def steps(self, axes: _axes.Axes) -> tuple[int, int, int, int]:
        """Of a class's results: bytes before the first, and to the next pixel, row and block."""
        (rows, cols), cell = axes, BYTES * self.blocks.lanes
        if not self.is_result_blocked:
            return 0, cell, cell * cols.results, cell * cols.results * rows.results
        (h, w), (top, left) = self.target, (rows.first, cols.first)
        return (top * w + left) * cell, cols.every * cell, rows.every * w * cell, h * w * cell

    def start(self, axes: _axes.Axes) -> int:
        """Bytes from a block's beginning to the first element that a walk reads."""
        (rows, cols), ((top, _), (left, _)) = axes, self.border
        return (rows.start + top) * self.line + (cols.start + left) * BYTES * self.blocks.cell

    def packed(self, axes: _axes.Axes) -> int:
        """Bytes of the packed weights of one block of results."""
        rows, cols = axes
        depth = self.blocks.groups * self.blocks.depth
        return BYTES * depth * len(rows.taps) * len(cols.taps) * self.blocks.lanes

    def out(self, axes: _axes.Axes) -> int:
        """Bytes of the blocked results of one image."""
        rows, cols = axes
        channels = self.blocks.results.size
        return BYTES * channels * rows.results * cols.results

    @cached_property
    def images(self) -> int:
        """Images worked on at once."""
        each = self.image + max((self.out(axes) for axes in self.classes), default=0)
        return max(1, min(self.problem.n, TARGET // max(each, 1)))

    def passes(self) -> Iterator[tuple[int, int]]:
        """First image and number of images of every pass over the batch."""
        for image in range(0, self.problem.n, self.images):
            yield image, min(self.images, self.problem.n - image)

    def rows_of_a_task(self, axes: _axes.Axes, count: int) -> int:
        """Rows of a block's results that one task works out, of ``count`` images."""
        rows, parts = axes[0].results, ceil(TASKS / (count * len(self.blocks.results)))
        return ceil(rows / min(rows, parts))

    @cached_property
    def slices(self) -> int:
        """Parts of the batch whose weight gradients are added up apart.

        Where these are small, a task has one for all inputs, so that it reads dy only once.
        """
        blocks, weights = len(self.blocks.results), self.packed(self.classes[0])
        read = self.problem.n * (self.image + self.out(self.classes[0]))
        light = min(ceil(TASKS / blocks), read // max(1, LIGHT * blocks * weights))
        return max(1, min(self.problem.n, max(light, ceil(TASKS / (blocks * self.blocks.groups)))))

    @cached_property
    def chunk(self) -> int:
        """Groups of inputs that one task of the weight gradient works on, one after the other."""
        tasks = self.slices * len(self.blocks.results) * self.blocks.groups
        return cut(self.blocks.groups, max(1, tasks // TASKS)).size

    @cached_property
    def parts(self) -> list[int]:
        """Sizes of the workspace's parts: source, blocked results, each class's weights."""
        results = 0 if self.is_result_blocked else self._results()
        count = len(self.blocks.results)
        return [self._source(), results, *(count * self.packed(axes) for axes in self.classes)]

    def _source(self) -> int:
        return 0 if self.reads_in_place else self.images * self.image

    def _results(self) -> int:
        return self.images * max((self.out(axes) for axes in self.classes), default=0)

    @cached_property
    def weight_parts(self) -> list[int]:
        """The same of the weight gradient: source, blocked dy, the slices."""
        slope = 0 if self.is_result_blocked else self._results()
        return [self._source(), slope, self.parts[-1] * self.slices]


def _is_canonical(table: np.ndarray, lanes: int) -> bool:
    """Are these the blocks of formats.py, all channels in order?"""
    count = int((table >= 0).sum())
    return np.array_equal(table, _numba_blocks.table(1, count, lanes))


def _row(pixels: int) -> int:
    """Pixels of a row that a plane of so many is cut into: the most that the first cache holds."""
    most = max(width for width in range(1, POINTS + 1) if pixels % width == 0)
    return most if most >= POINTS // 4 else pixels


@lru_cache(512)
def plan(problem: Conv2dProblem, is_backward: bool, level: str) -> Plan:
    """The plan of a convolution, or of its data gradient, on a CPU of this level.

    A window of one pixel does not see rows: its plane is cut into longer ones, of full tiles, and
    pixels that a stride leaves out are left out first.
    """
    whole, every = (problem.p, problem.q) if is_backward else (problem.h, problem.w), (1, 1)
    if (problem.r, problem.s, problem.padding) == (1, 1, PIXEL[3]) and not is_backward:
        every = problem.stride
        problem = replace(problem, h=problem.p, w=problem.q, stride=(1, 1))
    if (problem.r, problem.s, problem.stride, problem.padding) == PIXEL:
        pixels = problem.h * problem.w
        width = _row(pixels)
        problem = replace(problem, h=pixels // width, w=width)
    if is_backward:
        roles, classes = _numba_blocks.backward(problem), _axes.backward(problem)
        source = problem.p, problem.q
    else:
        roles, classes = _numba_blocks.forward(problem), [_axes.forward(problem)]
        source = problem.h, problem.w
    layout, border = _numba_blocks.blocks(roles, level), _axes.border(classes, source)
    channels = (problem.k, problem.c) if is_backward else (problem.c, problem.k)
    inside, outside = (formats.lanes(count, problem.format) for count in channels)
    lies = inside, outside, whole, every
    return Plan(problem, roles, layout, classes, source, border, is_backward, *lies)


def depth(blocks: Blocks, taps: int) -> int:
    """Weights in a tile's depth: a block's channels, or as many of a row as divide it."""
    if blocks.depth > 1:
        return blocks.depth
    return max(size for size in range(1, UNROLLED + 1) if taps % size == 0)


def product_tile(plan: Plan, cols: _axes.Axis, rows: int) -> Product:
    """The tile of this many neighbouring results."""
    blocks = plan.blocks
    cell, deep = blocks.cell, blocks.depth > 1
    apart = cols.every if plan.is_result_blocked else 1
    step = 1 if deep else cols.step * cell
    size = depth(blocks, len(cols.taps))
    return Product(rows, blocks.lanes, size, cols.stride * cell, step, blocks.per_lane, apart)


def outer_tile(blocks: Blocks, cols: _axes.Axis, rows: int) -> Outer:
    """The tile of this many neighbouring weights."""
    cell, deep = blocks.cell, blocks.depth > 1
    row = 1 if deep else cols.step * cell
    vectors = rows * max(1, blocks.lanes // simd.width())
    parts = next(n for n in (1, 2, UNROLLED_POINTS) if n * vectors >= BUSY or n == UNROLLED_POINTS)
    return Outer(rows, blocks.lanes, cols.stride * cell, row, blocks.per_lane, parts)


def workspace(sizes: Sequence[int]) -> int:
    """Bytes of workspace that parts of these sizes take."""
    return sum(map(_whole, sizes)) + LINE


def carve(work: np.ndarray, sizes: Sequence[int]) -> list[int]:
    """Addresses of consecutive parts of the workspace, each at a multiple of LINE bytes."""
    first = _whole(int(work.__array_interface__["data"][0]))
    return [first + before for before in accumulate(map(_whole, sizes), initial=0)][:-1]


def _whole(size: int) -> int:
    return -(-size // LINE) * LINE
