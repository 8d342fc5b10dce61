"""Sizes, tiles and workspace of Winograd's algorithm on the CPU, worked out once for each problem.

The arrays between the stages are (points, blocks, tiles, lanes) for transformed images and
(points, blocks, groups, depth, lanes) for transformed weights; a point is one of the size * size
places of a transformed tile, and each of them is a matrix product of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import ceil

from gpuconv import cpu, formats
from gpuconv.cpu import Outer, Product, simd
from gpuconv.cpu.transforms import Matrix, Transform

from . import _axes, _numba_blocks
from . import _numba_plan as planning
from ._numba_blocks import Blocks, Roles
from ._numba_plan import BYTES, LINE, Plan
from ._winograd import Algorithm, algorithm
from .op import Conv2dProblem

SPACE = 6 << 20  # bytes of transformed tiles worked on at once: a share of the last cache
TILES = 96  # tiles of a chunk at least: as often are the transformed weights used once loaded
KEPT = 512  # plans that are kept, for about as many different convolutions
TASKS = 16  # that a transform of a chunk is cut into, about


@dataclass(frozen=True, eq=False)
class Winograd:
    """One convolution, or one of its gradients: ``base`` is how the direct kernel lays it out."""

    base: Plan
    algorithm: Algorithm

    @property
    def blocks(self) -> Blocks:
        """The layout of the channels."""
        return self.base.blocks

    @property
    def axes(self) -> _axes.Axes:
        """The rows and columns of the results."""
        return self.base.classes[0]

    @property
    def points(self) -> int:
        """Matrix products that one tile takes part in."""
        return self.algorithm.size**2

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Tiles of an image, down and across."""
        rows, cols = self.axes
        return ceil(rows.results / self.algorithm.m), ceil(cols.results / self.algorithm.m)

    @property
    def most(self) -> int:
        """Tiles of all the images of a pass."""
        return self.base.images * self.grid[0] * self.grid[1]

    @cached_property
    def height(self) -> int:
        """Tiles that one register tile holds."""
        return planning.cut(max(self.most, 1), cpu.rows_for(self.blocks.lanes)).size

    @cached_property
    def chunk(self) -> int:
        """Tiles worked on at once."""
        channels = self.blocks.sources.size + self.blocks.results.size
        fitting = max(TILES, SPACE // (BYTES * self.points * channels))
        size = planning.cut(max(self.most, 1), fitting).size
        return ceil(size / self.height) * self.height

    def chunks(self, images: int) -> Iterator[tuple[int, int]]:
        """First tile and number of tiles of every chunk of these images."""
        total = images * self.grid[0] * self.grid[1]
        for first in range(0, total, self.chunk):
            yield first, min(self.chunk, total - first)

    def cell(self, lanes: int) -> int:
        """Bytes of one block of a chunk at one point."""
        return BYTES * lanes * self.chunk

    @cached_property
    def source_step(self) -> int:
        """Bytes from point to point of the transformed source."""
        return _odd(len(self.blocks.sources) * self.cell(self.blocks.cell))

    @cached_property
    def result_step(self) -> int:
        """Bytes from point to point of the results before they are transformed back."""
        return _odd(len(self.blocks.results) * self.cell(self.blocks.lanes))

    @cached_property
    def packed(self) -> int:
        """Bytes of the weights of one block of results at one point."""
        return BYTES * self.blocks.groups * self.blocks.depth * self.blocks.lanes

    @cached_property
    def weight_step(self) -> int:
        """Bytes from point to point of the transformed weights."""
        return _odd(len(self.blocks.results) * self.packed)

    @cached_property
    def parts(self) -> list[int]:
        """Sizes of the workspace: the direct kernel's, then weights, source and results."""
        steps = self.weight_step, self.source_step, self.result_step
        return [*self.base.parts, *(self.points * step for step in steps)]

    @cached_property
    def weight_parts(self) -> list[int]:
        """The same of the weight gradient, whose direct kernel would add up slices."""
        source, slope, _ = self.base.weight_parts
        return [source, slope, *self.parts[2:]]

    @property
    def product(self) -> Product:
        """The tile of the matrix products."""
        blocks = self.blocks
        return Product(self.height, blocks.lanes, blocks.depth, blocks.cell, 1)

    def outer(self, rows: int) -> Outer:
        """The tile of the weight gradient's matrix products."""
        return Outer(rows, self.blocks.lanes, self.blocks.cell, 1)

    def transform(self, matrix: Matrix, lanes: int, *, bounded: bool, ends: bool) -> Transform:
        """A transform of tiles whose vectors have ``lanes``."""
        return Transform(matrix, lanes, min(simd.width(), lanes), bounded, ends)


def _odd(size: int) -> int:
    """An odd number of lines: points a power of two apart would share few places in a cache."""
    return LINE * (ceil(size / LINE) | 1)


@lru_cache(KEPT)
def plan(problem: Conv2dProblem, is_backward: bool, level: str) -> Winograd:
    """The plan of a convolution, or of its data gradient, on a CPU of this level."""
    base = planning.plan(problem, is_backward, level)
    layout, nothing = blocks(base.roles, level), ((0, 0), (0, 0))
    return Winograd(replace(base, blocks=layout, border=nothing), algorithm(problem.r))


@lru_cache
def blocks(roles: Roles, level: str) -> Blocks:
    """Every group in blocks of its own; those of formats.py where groups end where blocks do."""
    lanes = cpu.lanes_for(roles.results)
    cell = formats.lanes(roles.groups * roles.inputs, formats.native())
    if cell == 1 or (roles.groups > 1 and roles.inputs % cell):
        cell = cpu.lanes_for(roles.inputs)
    results = _numba_blocks.table(roles.groups, roles.results, lanes)
    sources = _numba_blocks.table(roles.groups, roles.inputs, cell)
    weights = _numba_blocks.first_weights(roles, results)
    groups, shared = len(sources) // roles.groups, len(results) // roles.groups
    depth = roles.inputs if groups == 1 else cell  # lanes without a channel are not multiplied
    return Blocks(lanes, cell, depth, False, groups, shared, results, sources, weights)
