"""depthwise: groups equal to the channels; planes in shared memory, a thread for each position."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from gpuconv.cuda import BLOCK, Source, pack
from gpuconv.device import Device

from .._cost import estimate
from .._cuda import ceil_div, nbytes, refuses_epilogue, typed
from ._cuda import launcher, struct
from ._tiles import Correlation, Tile, elements, inputs, outputs, rectangles, too_large
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
ROOM = 24 << 10  # bytes of shared memory: several blocks find room at a time
WEIGHTS = 9  # of one thread
LONGEST = 64 * BLOCK  # outputs of a slice, at most
SHORTEST = 4 * BLOCK  # at least, where there are blocks enough
BLOCKS = 528  # four for each of a big GPU's multiprocessors
EFFICIENCY = 0.12  # share of the arithmetic's peak: two reads for each multiply-add
SLOPE_EFFICIENCY = 0.05  # the same for the weights' gradient, whose every read is checked


def _tiles(view: Correlation, problem: Conv2dProblem) -> Iterator[Tile]:
    """Tiles that fit, the largest first, of as many planes as there are threads and room for."""
    for rows, cols in rectangles(view, BLOCK):
        source = view.source(rows, cols)
        if prod(source) <= elements(problem):
            room = max(1, elements(problem, ROOM) // prod(source))
            planes = min(BLOCK // (rows * cols), room, max(1, problem.n * problem.c))
            yield Tile(rows, cols, *source, 1, planes)


def _refuses_groups(problem: Conv2dProblem, device: Device) -> str | None:
    if problem.groups == problem.c:
        return None
    return (
        f"needs a group for each channel, got {problem.groups} groups of {problem.c} channels; "
        "take direct_tiled or implicit_gemm"
    )


def _refusing(view: Callable[[Conv2dProblem], Correlation]) -> Callable:
    def refuses(problem: Conv2dProblem, device: Device) -> str | None:
        fits = next(_tiles(view(problem), problem), None)
        reason = _refuses_groups(problem, device) or refuses_epilogue(problem, device)
        return reason or (None if fits else too_large(view(problem)))

    return refuses


def _blocks(view: Correlation, problem: Conv2dProblem, tile: Tile) -> int:
    return view.tiles(tile) * ceil_div(problem.n * problem.c, tile.sets)


def _costing(view: Callable[[Conv2dProblem], Correlation]) -> Callable:
    def cost(problem: Conv2dProblem, device: Device) -> float:
        sizes = view(problem)
        tile = next(_tiles(sizes, problem))
        threads = _blocks(sizes, problem, tile) * tile.positions * tile.sets
        return _estimate(problem, threads, EFFICIENCY)

    return cost


def _estimate(problem: Conv2dProblem, threads: int, efficiency: float, launches: int = 1) -> float:
    return estimate(
        problem,
        flops=conv2d.flops(problem),
        nbytes=conv2d.bytes(problem),
        threads=threads,
        efficiency=efficiency,
        launches=launches,
    )


def _correlate(
    entry: str, view: Correlation, problem: Conv2dProblem, *arrays: Any, has_bias: bool = False
) -> None:
    run, tile = launcher(SOURCE, problem), next(_tiles(view, problem))
    structs = struct(run, problem, has_bias), pack(tile._asdict())
    shared = nbytes(problem, tile.sets * tile.window)
    run.each_block(entry, _blocks(view, problem, tile), *arrays, *structs, shared=shared)


@conv2d.kernel(
    "depthwise", backend="cuda", rank=60, refuses=_refusing(outputs), cost=_costing(outputs)
)
def forward(outs, ins, problem, work):
    """y = sum over r, s of a channel's x * weight, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    given = weight if bias is None else bias
    _correlate("conv2d", outputs(problem), problem, y, x, weight, given, has_bias=bias is not None)


@conv2d_input.kernel(
    "depthwise", backend="cuda", rank=60, refuses=_refusing(inputs), cost=_costing(inputs)
)
def input_gradient(outs, ins, problem, work):
    """dx = sum over the filters of its channel, and over the outputs that it took part in."""
    _correlate("conv2d_input", inputs(problem), problem, *outs, *ins)


def _shares(problem: Conv2dProblem) -> int:
    """Blocks that have all the weights together."""
    return problem.k * ceil_div(problem.r * problem.s, WEIGHTS)


def _slices(problem: Conv2dProblem) -> int:
    positions = problem.n * problem.p * problem.q
    useful = min(ceil_div(positions, SHORTEST), ceil_div(BLOCKS, _shares(problem)))
    return max(1, useful, ceil_div(positions, LONGEST))


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    slices = _slices(problem)
    return nbytes(problem, slices * prod(problem.spec("weight")[0])) if slices > 1 else 0


def _weight_cost(problem: Conv2dProblem, device: Device) -> float:
    slices = _slices(problem)
    threads = _shares(problem) * slices * BLOCK
    return _estimate(problem, threads, SLOPE_EFFICIENCY, launches=1 + (slices > 1))


@conv2d_weight.kernel(
    "depthwise",
    backend="cuda",
    rank=60,
    refuses=_refuses_groups,
    workspace=_workspace,
    cost=_weight_cost,
)
def weight_gradient(outs, ins, problem, work):
    """dweight = partial sums over slices of the batch's outputs, then the slices in order."""
    (dweight,), (x, dy) = outs, ins
    run, slices = launcher(SOURCE, problem), _slices(problem)
    partial = typed(work, problem) if slices > 1 else dweight
    args = partial, x, dy, struct(run, problem), run.index(slices)
    run.each_block("conv2d_weight_slices", slices * _shares(problem), *args)
    if slices > 1:
        run.each("conv2d_weight_total", dweight.size, dweight, partial, run.index(slices))
