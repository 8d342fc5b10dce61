"""The host's side of gemm.cuh: tiles, slices of a long sum, chains of additions, cost."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from gpuconv.cuda.launch import BLOCK
from gpuconv.problem import Problem

from ._cost import estimate
from ._cuda import Launcher, ceil_div, nbytes

TILES = {"float32": (64, 64), "float64": (64, 32)}  # gemm.cuh's tiles of C
STEP = 8  # and its depth of a strip
BLOCKS = 512  # as many as keep a big GPU busy
SLICES = 64  # at most
SLICE = 256  # depth of a slice, at least
EFFICIENCY = 0.5  # share of the arithmetic's peak that the main loop is expected to reach
WORTH = 4  # plain threads that one with 4 x 4 results keeps a GPU as busy as


@dataclass(frozen=True)
class Gemm:
    """C = A B: C is rows x cols, ``batch`` of them, and the sum runs over ``depth``."""

    problem: Problem
    rows: int
    cols: int
    depth: int
    batch: int = 1
    slices: int = 1

    @property
    def tiles(self) -> int:
        """Tiles of all products and slices: one for a block."""
        rows, cols = TILES[self.problem.dtype]
        each = ceil_div(self.rows, rows) * ceil_div(self.cols, cols)
        return each * self.batch * self.slices

    @property
    def results(self) -> int:
        """Elements of C, of every product."""
        return self.rows * self.cols * self.batch

    @property
    def chain(self) -> int:
        """Terms of a chain of additions.

        Each of m chains of depth / m terms has an error that grows as the root of its length, and
        so has the chain of the m sums; m^3 = depth makes the whole smallest.
        """
        depth = ceil_div(self.depth, self.slices)
        return max(128, STEP * ceil_div(round(depth ** (2 / 3)), STEP))

    @property
    def counts(self) -> tuple[int, ...]:
        """Bounds of the indices that the kernel works out."""
        deepest = self.depth + (self.slices + 2) * STEP + self.chain
        rows, cols = TILES[self.problem.dtype]
        results = self.slices * self.results
        return self.rows + rows, self.cols + cols, deepest, self.tiles, results

    def split(self) -> "Gemm":
        """The same in slices, where C has too few tiles to keep a GPU busy."""
        most = min(SLICES, self.depth // SLICE, BLOCKS // max(self.tiles, 1))
        return replace(self, slices=max(1, most))

    def struct(self, run: Launcher) -> Any:
        """The product as the kernels' Gemm."""
        return run.struct(
            rows=self.rows,
            cols=self.cols,
            depth=self.depth,
            batch=self.batch,
            slices=self.slices,
            chain=self.chain,
        )

    @property
    def workspace(self) -> int:
        """Bytes of the slices' partial results."""
        return nbytes(self.problem, self.slices * self.results) if self.slices > 1 else 0

    def cost(self, traffic: float, efficiency: float = EFFICIENCY) -> float:
        """Seconds, for ``traffic`` bytes; a tile over the edge takes as long as a full one."""
        return estimate(
            self.problem,
            flops=2 * self.tiles / self.slices * prod(TILES[self.problem.dtype]) * self.depth,
            nbytes=traffic + 2 * self.workspace,
            threads=self.tiles * BLOCK * WORTH,
            efficiency=efficiency,
            launches=1 + (self.slices > 1),
        )
