"""implicit_gemm_pipelined: products whose slabs are copied ahead, for each size of tile.

The slabs in stages are CUTLASS's "multistage" main loop
(github.com/NVIDIA/cutlass, media/docs/efficient_gemm.md), the product is Chetlur et al., "cuDNN:
Efficient Primitives for Deep Learning" (2014), section 3.
"""

from collections.abc import Callable
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.rates import BANDWIDTH, LAUNCH
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cuda import Launcher, typed
from ._cuda import launcher
from ._pipelined import Correlation, forward_of, gradients_of
from ._pipelined_tiles import NAME, Tile, channels_last, declared
from .op import Conv2dProblem, conv2d, conv2d_input

SOURCE = Source(__file__)
TILES = {
    NAME: Tile(128, 128, 16, 3, 2, 0.72),
    f"{NAME}_wide": Tile(128, 256, 16, 2, 1, 0.74),
    f"{NAME}_tall": Tile(128, 64, 8, 4, 3, 0.66),
    f"{NAME}_small": Tile(64, 64, 8, 4, 6, 0.55),
}


def _run(problem: Conv2dProblem, tile: Tile, of: Correlation) -> Launcher:
    return launcher(SOURCE, problem, *of.counts, **tile.macros)


def _correlate(
    run: Launcher, of: Correlation, tile: Tile, y: Any, ins: tuple, packed: tuple
) -> None:
    """``ins`` are weight and bias; ``packed`` the sources, and room for the weights."""
    (weight, bias), (sources, table) = ins, packed
    struct = of.struct(run, bias is not None)
    run.each("pack_weight", of.packed_weight, table, weight, struct)
    given = table if bias is None else bias
    arguments = y, sources, table, given, struct, run.index(of.lines)
    run.each_block("correlate", of.tiles(tile.size), *arguments)


def _forward(tile: Tile) -> Callable[..., None]:
    def forward(outs, ins, problem, work):
        """y = windows * weight, bias and ReLU in the same launch."""
        (y,), (x, weight, bias) = outs, ins
        of = forward_of(problem)
        run, work = _run(problem, tile, of), typed(work, problem)
        packed = work[: of.packed_source], work[of.packed_source :]
        channels_last(run, packed[0], x, of.groups, of.padded_sources)
        _correlate(run, of, tile, y, (weight, bias), packed)

    return forward


def _input_gradient(tile: Tile) -> Callable[..., None]:
    def input_gradient(outs, ins, problem, work):
        """dx = the outputs that an input took part in * weight^T, residue by residue."""
        (dx,), (dy, weight) = outs, ins
        size, work = forward_of(problem).packed_result, typed(work, problem)
        packed = work[:size], work[size:]
        for number, of in enumerate(gradients_of(problem)):
            run = _run(problem, tile, of)
            if not number:
                channels_last(run, packed[0], dy, of.groups, of.padded_sources)
            _correlate(run, of, tile, dx, (weight, None), packed)

    return input_gradient


def _parts(op: Op, problem: Conv2dProblem) -> list[Correlation]:
    return [forward_of(problem)] if op is conv2d else list(gradients_of(problem))


def _workspace(op: Op) -> Callable[[Conv2dProblem, Device], int]:
    def workspace(problem: Conv2dProblem, device: Device) -> int:
        parts = _parts(op, problem)
        return 4 * (parts[0].packed_source + max(part.packed_weight for part in parts))

    return workspace


def _cost(op: Op, tile: Tile) -> Callable[[Conv2dProblem, Device], float]:
    workspace = _workspace(op)

    def cost(problem: Conv2dProblem, device: Device) -> float:
        """Seconds, predicted; what lies in the workspace is written and read once more."""
        parts = _parts(op, problem)
        packing = 2 * workspace(problem, device) / BANDWIDTH
        work = sum(tile.seconds(of.tiles(tile.size), of.depth) for of in parts)
        launches = 1 + 2 * len(parts)
        return launches * LAUNCH + packing + max(work, op.bytes(problem) / BANDWIDTH)

    return cost


for _op, _make in ((conv2d, _forward), (conv2d_input, _input_gradient)):
    for _name, _tile in TILES.items():
        _given: dict[str, Any] = {"workspace": _workspace(_op), "cost": _cost(_op, _tile)}
        _op.kernel(_name, **declared(_name), **_given)(_make(_tile))
