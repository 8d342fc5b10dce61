"""What the pipelined products' launchers share: tiles, what they refuse, channels last."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from gpuconv.cuda.rates import FLOPS
from gpuconv.device import Device

from .._cuda import LANES, Launcher, refuses_epilogue
from ._pipelined import SIDE, Size, too_many
from .op import Conv2dProblem

NAME = "implicit_gemm_pipelined"
MULTIPROCESSORS = 132  # of a big GPU
WARPS = 8  # that keep one of them busy: two for each of its schedulers
WINDOW = 16  # rows and columns of a window, at most: bits of a word


@dataclass(frozen=True)
class Tile:
    """What a block computes: macros of pipeline.cuh, and how it is expected to run on an H100.

    ``blocks`` are those at a time on a multiprocessor, ``reach`` the share of the arithmetic's peak
    (predicted from the machine code's issue slots: none of them has run on a GPU).
    """

    rows: int
    cols: int
    own_cols: int
    stages: int
    blocks: int
    reach: float

    @property
    def threads(self) -> int:
        """Threads of a block; each has 8 x own_cols results."""
        return self.rows * self.cols // (8 * self.own_cols)

    @property
    def size(self) -> Size:
        """Results of a block."""
        return Size(self.rows, self.cols)

    @property
    def macros(self) -> dict[str, int]:
        """As the source wants them."""
        return {
            "TILE_ROWS": self.rows,
            "TILE_COLS": self.cols,
            "OWN_COLS": self.own_cols,
            "STAGES": self.stages,
            "BLOCKS": self.blocks,
            "BLOCK": self.threads,
        }

    def seconds(self, tiles: int, depth: float) -> float:
        """For so many products of a tile, each that deep, on the multiprocessor with the most."""
        most = ceil(tiles / MULTIPROCESSORS)
        warps = min(most, self.blocks) * self.threads // LANES
        peak = FLOPS["float32"] / MULTIPROCESSORS * self.reach * min(1.0, warps / WARPS)
        return most * 2 * self.rows * self.cols * depth / peak if tiles else 0.0


def refuses(problem: Conv2dProblem, device: Device) -> str | None:
    """float64, large windows, huge problems, unknown epilogues."""
    if problem.dtype != "float32":
        return f"takes float32, not {problem.dtype}; take implicit_gemm"
    if max(problem.r, problem.s) > WINDOW:
        return f"takes windows of up to {WINDOW} x {WINDOW}; take implicit_gemm"
    if too_many(problem):
        return "numbers positions, taps and weights in 32 bits; take implicit_gemm"
    return refuses_epilogue(problem, device)


def channels_last(run: Launcher, packed: Any, image: Any, groups: int, padded: int) -> None:
    """An (N, C, H, W) array into ``packed``, channels last."""
    n, channels, *plane = image.shape
    area = plane[0] * plane[1]
    planes = run.struct(n=n, groups=groups, channels=channels // groups, padded=padded, area=area)
    tiles = n * ceil(area / SIDE) * ceil(groups * padded / SIDE)
    run.each_block("channels_last", tiles, packed, image, planes)


def declared(name: str) -> dict[str, Any]:
    """What every tile's kernel says: ``choose`` takes the cheapest, a plan the fastest."""
    variant_of = "" if name == NAME else NAME
    return {"backend": "cuda", "refuses": refuses, "archs": ("sm_80",), "variant_of": variant_of}
