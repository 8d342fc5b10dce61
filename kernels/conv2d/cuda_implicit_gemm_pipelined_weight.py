"""implicit_gemm_pipelined, the weight gradient: slabs of both operands copied ahead.

Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning" (2014), section 3.
"""

from collections.abc import Callable
from math import ceil
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.rates import BANDWIDTH, LAUNCH
from gpuconv.device import Device

from .._cuda import typed
from ._cuda import launcher
from ._pipelined import STEP, forward_of
from ._pipelined_tiles import MULTIPROCESSORS, NAME, Tile, channels_last, declared
from .op import Conv2dProblem, conv2d_weight

SOURCE = Source(__file__)
SLICES = 128  # of the positions, at most
SLICE = 256  # positions of one, at least
# 8 x 16 results a thread do not fit: sm_100 and sm_120 would spill registers.
TILES = {
    NAME: Tile(128, 128, 8, 3, 1, 0.66),
    f"{NAME}_tall": Tile(128, 64, 8, 4, 2, 0.62),
    f"{NAME}_small": Tile(64, 64, 8, 4, 6, 0.52),
}


def slices_of(problem: Conv2dProblem, tile: Tile) -> int:
    """As many as give every multiprocessor two rounds of blocks, where positions are enough."""
    of = forward_of(problem)
    wanted = 2 * MULTIPROCESSORS * tile.blocks // max(of.weight_tiles(tile.size), 1)
    return max(1, min(SLICES, of.lines // SLICE, wanted))


def _weight_gradient(tile: Tile) -> Callable[..., None]:
    def weight_gradient(outs, ins, problem, work):
        """dweight = dy^T * windows over slices of the positions, then the slices in order."""
        (dweight,), (x, dy) = outs, ins
        of, slices = forward_of(problem), slices_of(problem, tile)
        counts = *of.counts, slices * of.partial
        run, work = launcher(SOURCE, problem, *counts, **tile.macros), typed(work, problem)
        images, behind = work[: of.packed_source], work[of.packed_source :]
        slopes, partial = behind[: of.packed_result], behind[of.packed_result :]
        channels_last(run, images, x, of.groups, of.padded_sources)
        channels_last(run, slopes, dy, of.groups, of.padded_results)
        struct, size = of.struct(run), STEP * ceil(of.lines / slices / STEP)
        given = partial, images, slopes, struct, run.index(of.lines), run.index(size)
        run.each_block("weight_slices", slices * of.weight_tiles(tile.size), *given)
        run.each("weight_total", dweight.size, dweight, partial, struct, run.index(slices))

    return weight_gradient


def _workspace(tile: Tile) -> Callable[[Conv2dProblem, Device], int]:
    def workspace(problem: Conv2dProblem, device: Device) -> int:
        of = forward_of(problem)
        partial = slices_of(problem, tile) * of.partial
        return 4 * (of.packed_source + of.packed_result + partial)

    return workspace


def _cost(tile: Tile) -> Callable[[Conv2dProblem, Device], float]:
    workspace = _workspace(tile)

    def cost(problem: Conv2dProblem, device: Device) -> float:
        """Seconds, predicted; what lies in the workspace is written and read once more."""
        of, slices = forward_of(problem), slices_of(problem, tile)
        packing = 2 * workspace(problem, device) / BANDWIDTH
        work = tile.seconds(slices * of.weight_tiles(tile.size), of.lines / slices)
        return 4 * LAUNCH + packing + max(work, conv2d_weight.bytes(problem) / BANDWIDTH)

    return cost


for _name, _tile in TILES.items():
    _given: dict[str, Any] = {"workspace": _workspace(_tile), "cost": _cost(_tile)}
    conv2d_weight.kernel(_name, **declared(_name), **_given)(_weight_gradient(_tile))
