"""direct_tiled: tiles of positions and their weights in shared memory, 8 filters to a thread."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from gpuconv.cuda import BLOCK, Source, pack
from gpuconv.device import Device

from .._cost import estimate
from .._cuda import ceil_div, nbytes, refuses_epilogue, typed
from ._cuda import launcher, struct
from ._tiles import SHARED, Correlation, Tile, elements, inputs, outputs, rectangles, too_large
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
FILTERS = 8  # of a thread
POSITIONS = 256  # results of a plane in a tile, at most
SETS = 8  # threads for one position, at most
PRODUCTS = 64  # in a row, before they are added to the total
CHANNELS = 16  # in shared memory at a time, at most
ROOM = 24 << 10  # bytes of shared memory: several blocks find room at a time
EFFICIENCY = 0.12
# of the weights' gradient
SLOPES = 64  # results of a plane in a tile, at most
SHARERS = 4  # threads for one weight's position, if there are enough weights for the others
SLICES = 64  # parts of a weight's sum, at most
BLOCKS = 528  # four for each of a big GPU's multiprocessors


def _tiles(view: Correlation, problem: Conv2dProblem) -> Iterator[Tile]:
    """Tiles that fit beside a channel's weights, the largest first; channels as there is room."""
    wanted, taps = min(SETS, ceil_div(view.channels, FILTERS)), prod(view.taps)
    for rows, cols in rectangles(view, POSITIONS // min(2, wanted)):
        source = view.source(rows, cols)
        room = elements(problem) - prod(source)
        sets = min(wanted, BLOCK // (rows * cols), room // (taps * FILTERS))
        if sets > 0:
            each = prod(source) + taps * sets * FILTERS
            most = min(view.sources, CHANNELS, PRODUCTS // taps, elements(problem, ROOM) // each)
            yield Tile(rows, cols, *source, max(1, most), sets)


def _refusing(view: Callable[[Conv2dProblem], Correlation]) -> Callable:
    def refuses(problem: Conv2dProblem, device: Device) -> str | None:
        fits = next(_tiles(view(problem), problem), None)
        return refuses_epilogue(problem, device) or (None if fits else too_large(view(problem)))

    return refuses


def _blocks(view: Correlation, tile: Tile, problem: Conv2dProblem) -> int:
    sets = ceil_div(view.channels, tile.sets * FILTERS)
    return problem.n * problem.groups * sets * view.tiles(tile)


def _costing(view: Callable[[Conv2dProblem], Correlation]) -> Callable:
    def cost(problem: Conv2dProblem, device: Device) -> float:
        sizes = view(problem)
        tile = next(_tiles(sizes, problem))
        threads = _blocks(sizes, tile, problem) * tile.positions * tile.sets
        flops = 2 * threads * FILTERS * sizes.sources * prod(sizes.taps)
        return _estimate(problem, flops, threads)

    return cost


def _estimate(problem: Conv2dProblem, flops: int, threads: int, launches: int = 1) -> float:
    return estimate(
        problem,
        flops=flops,
        nbytes=conv2d.bytes(problem),
        threads=threads,
        efficiency=EFFICIENCY,
        launches=launches,
    )


def _correlate(
    entry: str, view: Correlation, problem: Conv2dProblem, *arrays: Any, has_bias: bool = False
) -> None:
    run, tile = launcher(SOURCE, problem), next(_tiles(view, problem))
    count = tile.channels * (tile.window + prod(view.taps) * tile.sets * FILTERS)
    structs = struct(run, problem, has_bias), pack(tile._asdict())
    blocks, shared = _blocks(view, tile, problem), nbytes(problem, count)
    run.each_block(entry, blocks, *arrays, *structs, shared=shared)


@conv2d.kernel(
    "direct_tiled",
    backend="cuda",
    rank=70,
    refuses=_refusing(outputs),
    cost=_costing(outputs),
)
def forward(outs, ins, problem, work):
    """y = sum over c, r, s of x * weight, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    given = weight if bias is None else bias
    _correlate("conv2d", outputs(problem), problem, y, x, weight, given, has_bias=bias is not None)


@conv2d_input.kernel(
    "direct_tiled", backend="cuda", rank=70, refuses=_refusing(inputs), cost=_costing(inputs)
)
def input_gradient(outs, ins, problem, work):
    """dx = for each class modulo the stride, a correlation of dy with its taps reversed."""
    _correlate("conv2d_input", inputs(problem), problem, *outs, *ins)


def _weight_tiles(problem: Conv2dProblem) -> Iterator[Tile]:
    """Tiles that fit, for a thread to a weight of 8 filters; those that leave room come first."""
    taps, view, wanted = problem.r * problem.s, outputs(problem), ceil_div(problem.kg, FILTERS)
    channels = min(problem.cg, max(1, BLOCK // (taps * min(SHARERS, wanted))))
    sets = max(1, min(wanted, BLOCK // (taps * channels)))
    for shares, room in (((channels, sets), ROOM), ((1, 1), SHARED)):
        for rows, cols in rectangles(view, SLOPES):
            tile = Tile(rows, cols, *view.source(rows, cols), *shares)
            if _weight_shared(problem, tile) <= room:
                yield tile


def _weight_shared(problem: Conv2dProblem, tile: Tile) -> int:
    return nbytes(problem, tile.channels * tile.window + tile.positions * tile.sets * FILTERS)


def _refuses_weight(problem: Conv2dProblem, device: Device) -> str | None:
    taps = problem.r * problem.s
    if taps > BLOCK:
        return f"has a thread for each of a window's {taps} weights, over {BLOCK}; take direct"
    return None if next(_weight_tiles(problem), None) else too_large(outputs(problem))


def _shares(problem: Conv2dProblem, tile: Tile) -> int:
    """Blocks that have all the weights together."""
    filters = ceil_div(problem.kg, tile.sets * FILTERS)
    return problem.groups * filters * ceil_div(problem.cg, tile.channels)


def _slices(problem: Conv2dProblem) -> int:
    tile = next(_weight_tiles(problem))
    tiles = problem.n * outputs(problem).tiles(tile)
    return max(1, min(SLICES, tiles, ceil_div(BLOCKS, _shares(problem, tile))))


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    slices = 1 if _refuses_weight(problem, device) else _slices(problem)
    return nbytes(problem, slices * prod(problem.spec("weight")[0])) if slices > 1 else 0


def _weight_cost(problem: Conv2dProblem, device: Device) -> float:
    tile, slices = next(_weight_tiles(problem)), _slices(problem)
    threads = _shares(problem, tile) * tile.channels * problem.r * problem.s * tile.sets
    flops = 2 * threads * FILTERS * problem.n * problem.p * problem.q
    return _estimate(problem, flops, threads * slices, launches=1 + (slices > 1))


@conv2d_weight.kernel(
    "direct_tiled",
    backend="cuda",
    rank=70,
    refuses=_refuses_weight,
    workspace=_workspace,
    cost=_weight_cost,
)
def weight_gradient(outs, ins, problem, work):
    """dweight = partial sums over slices of the batch's tiles, then the slices in order."""
    (dweight,), (x, dy) = outs, ins
    run, tile, slices = launcher(SOURCE, problem), next(_weight_tiles(problem)), _slices(problem)
    partial = typed(work, problem) if slices > 1 else dweight
    structs = struct(run, problem), pack(tile._asdict())
    blocks, shared = slices * _shares(problem, tile), _weight_shared(problem, tile)
    args = partial, x, dy, *structs, run.index(slices)
    run.each_block("conv2d_weight_slices", blocks, *args, shared=shared)
    if slices > 1:
        run.each("conv2d_weight_total", dweight.size, dweight, partial, run.index(slices))
