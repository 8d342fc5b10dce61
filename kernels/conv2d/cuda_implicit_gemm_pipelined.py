"""implicit_gemm_pipelined: products whose slabs are copied ahead, for each size of tile.

The slabs in stages are CUTLASS's "multistage" main loop
(github.com/NVIDIA/cutlass, media/docs/efficient_gemm.md), the product is Chetlur et al., "cuDNN:
Efficient Primitives for Deep Learning" (2014), section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.rates import BANDWIDTH, FLOPS, LAUNCH
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cuda import LANES, Launcher, refuses_epilogue, typed
from ._cuda import launcher
from ._pipelined import SIDE, STEP, Correlation, Size, forward_of, gradients_of, too_many
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
MULTIPROCESSORS = 132  # of a big GPU
WARPS = 8  # that keep one of them busy: two for each of its schedulers
SLICES = 128  # of the weight gradient's positions, at most
SLICE = 256  # positions of one, at least
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


NAME = "implicit_gemm_pipelined"
TILES = {
    NAME: Tile(128, 128, 16, 3, 2, 0.72),
    f"{NAME}_wide": Tile(128, 256, 16, 2, 1, 0.74),
    f"{NAME}_tall": Tile(128, 64, 16, 3, 4, 0.68),
    f"{NAME}_small": Tile(64, 64, 8, 4, 6, 0.55),
}


# ---- what it takes --------------------------------------------------------------------------


def _refuses(problem: Conv2dProblem, device: Device) -> str | None:
    if problem.dtype != "float32":
        return f"takes float32, not {problem.dtype}; take implicit_gemm"
    if max(problem.r, problem.s) > WINDOW:
        return f"takes windows of up to {WINDOW} x {WINDOW}; take implicit_gemm"
    if too_many(problem):
        return "numbers positions, taps and weights in 32 bits; take implicit_gemm"
    return refuses_epilogue(problem, device)


def _run(problem: Conv2dProblem, tile: Tile, *counts: int) -> Launcher:
    return launcher(SOURCE, problem, *counts, **tile.macros)


def _slices(problem: Conv2dProblem, tile: Tile) -> int:
    """As many as give every multiprocessor a few blocks, where positions are enough."""
    tiles = forward_of(problem).weight_tiles(tile.size)
    positions = problem.n * problem.p * problem.q
    wanted = 2 * MULTIPROCESSORS * tile.blocks // max(tiles, 1)
    return max(1, min(SLICES, positions // SLICE, wanted))


# ---- packing --------------------------------------------------------------------------------


def _channels_last(run: Launcher, packed: Any, image: Any, groups: int, padded: int) -> None:
    """An (N, C, H, W) array into ``packed``, channels last."""
    n, channels, *plane = image.shape
    area = plane[0] * plane[1]
    planes = run.struct(n=n, groups=groups, channels=channels // groups, padded=padded, area=area)
    tiles = n * ceil(area / SIDE) * ceil(groups * padded / SIDE)
    run.each_block("channels_last", tiles, packed, image, planes)


def _correlate(
    run: Launcher,
    of: Correlation,
    tile: Tile,
    y: Any,
    source: Any,
    weight: Any,
    bias: Any,
    packed: Any,
) -> None:
    struct = of.struct(run, bias is not None)
    run.each("pack_weight", of.packed_weight, packed, weight, struct)
    given = packed if bias is None else bias
    arguments = y, source, packed, given, struct, run.index(of.lines)
    run.each_block("correlate", of.tiles(tile.size), *arguments)


# ---- the kernels ----------------------------------------------------------------------------


def _forward(tile: Tile) -> Callable[..., None]:
    def forward(outs, ins, problem, work):
        """y = windows * weight, bias and ReLU in the same launch."""
        (y,), (x, weight, bias) = outs, ins
        of = forward_of(problem)
        run, work = _run(problem, tile, *of.counts), typed(work, problem)
        image, packed = work[: of.packed_source], work[of.packed_source :]
        _channels_last(run, image, x, of.groups, of.padded_sources)
        _correlate(run, of, tile, y, image, weight, bias, packed)

    return forward


def _input_gradient(tile: Tile) -> Callable[..., None]:
    def input_gradient(outs, ins, problem, work):
        """dx = the outputs that an input took part in * weight^T, residue by residue."""
        (dx,), (dy, weight) = outs, ins
        work = typed(work, problem)
        first = forward_of(problem).packed_result
        for number, of in enumerate(gradients_of(problem)):
            run = _run(problem, tile, *of.counts)
            if not number:
                _channels_last(run, work[:first], dy, of.groups, of.padded_sources)
            _correlate(run, of, tile, dx, work[:first], weight, None, work[first:])

    return input_gradient


def _weight_gradient(tile: Tile) -> Callable[..., None]:
    def weight_gradient(outs, ins, problem, work):
        """dweight = dy^T * windows over slices of the positions, then the slices in order."""
        (dweight,), (x, dy) = outs, ins
        of, slices = forward_of(problem), _slices(problem, tile)
        run, work = _run(problem, tile, *of.counts, slices * of.partial), typed(work, problem)
        image, slopes = work[: of.packed_source], work[of.packed_source :][: of.packed_result]
        partial = work[of.packed_source + of.packed_result :]
        _channels_last(run, image, x, of.groups, of.padded_sources)
        _channels_last(run, slopes, dy, of.groups, of.padded_results)
        struct, size = of.struct(run), STEP * ceil(of.lines / slices / STEP)
        given = partial, image, slopes, struct, run.index(of.lines), run.index(size)
        run.each_block("weight_slices", slices * of.weight_tiles(tile.size), *given)
        run.each("weight_total", dweight.size, dweight, partial, struct, run.index(slices))

    return weight_gradient


# ---- what it needs --------------------------------------------------------------------------


def _workspace(op: Op, tile: Tile) -> Callable[[Conv2dProblem, Device], int]:
    def workspace(problem: Conv2dProblem, device: Device) -> int:
        of = forward_of(problem)
        if op is conv2d:
            return 4 * (of.packed_source + of.packed_weight)
        if op is conv2d_input:
            weights = max(part.packed_weight for part in gradients_of(problem))
            return 4 * (of.packed_result + weights)
        partial = _slices(problem, tile) * of.partial
        return 4 * (of.packed_source + of.packed_result + partial)

    return workspace


def _cost(op: Op, tile: Tile) -> Callable[[Conv2dProblem, Device], float]:
    workspace = _workspace(op, tile)

    def cost(problem: Conv2dProblem, device: Device) -> float:
        """Seconds, predicted; what lies in the workspace is written and read once more."""
        packing = 2 * workspace(problem, device) / BANDWIDTH
        traffic = op.bytes(problem) / BANDWIDTH
        if op is conv2d_weight:
            of, slices = forward_of(problem), _slices(problem, tile)
            launches, tiles = 4, slices * of.weight_tiles(tile.size)
            work = tile.seconds(tiles, of.lines / slices)
        else:
            parts = [forward_of(problem)] if op is conv2d else list(gradients_of(problem))
            launches = 1 + 2 * len(parts)
            work = sum(tile.seconds(of.tiles(tile.size), of.depth) for of in parts)
        return launches * LAUNCH + packing + max(work, traffic)

    return cost


def _register(op: Op, run: Callable[[Tile], Callable[..., None]]) -> None:
    """A kernel for each size of tile: ``choose`` takes the cheapest, a plan the fastest."""
    for name, tile in TILES.items():
        op.kernel(
            name,
            backend="cuda",
            refuses=_refuses,
            workspace=_workspace(op, tile),
            cost=_cost(op, tile),
            archs=("sm_80",),
            variant_of="" if name == NAME else NAME,
        )(run(tile))


_register(conv2d, _forward)
_register(conv2d_input, _input_gradient)
_register(conv2d_weight, _weight_gradient)
