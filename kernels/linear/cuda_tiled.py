"""tiled: a matrix product by 16 x 16 tiles in shared memory."""

from collections.abc import Callable
from math import prod
from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cost import estimate
from .._cuda import Launcher, ceil_div, refuses_epilogue
from .op import LinearProblem, linear, linear_input, linear_weight

SOURCE = Source(__file__)
TILE = 16
EFFICIENCY = 0.12  # share of the arithmetic's peak: two shared reads for each multiply-add


def _cost(op: Op) -> Callable[[LinearProblem, Device], float]:
    """Seconds; every thread of a tile works, those beyond the edge too."""

    def cost(problem: LinearProblem, device: Device) -> float:
        sides = problem.spec(op.outs[0])[0]
        threads = prod(ceil_div(side, TILE) * TILE for side in sides)
        flops = op.flops(problem) / max(prod(sides), 1) * threads
        traffic = op.bytes(problem)
        return estimate(
            problem, flops=flops, nbytes=traffic, threads=threads, efficiency=EFFICIENCY
        )

    return cost


def _launch(entry: str, problem: LinearProblem, out: Any, depth: int, *arrays: Any) -> None:
    """A block for each tile of ``out``; the last tiles and the last step may hang over."""
    rows, cols = out.shape
    run = Launcher(SOURCE, problem, *(size + TILE for size in (rows, cols, depth)))
    has_bias = len(arrays) == 3 and arrays[2] is not None
    given = [arrays[1] if array is None else array for array in arrays]
    gemm = run.struct(
        rows=rows, cols=cols, depth=depth, has_bias=has_bias, relu=problem.epilogue == "relu"
    )
    tiles = ceil_div(rows, TILE) * ceil_div(cols, TILE)
    run.each_block(entry, tiles, out, *given, gemm)


@linear.kernel("tiled", backend="cuda", refuses=refuses_epilogue, cost=_cost(linear))
def forward(outs, ins, problem, work):
    """y = x @ weight^T, bias and ReLU in the same launch."""
    _launch("linear", problem, *outs, problem.i, *ins)


@linear_input.kernel("tiled", backend="cuda", cost=_cost(linear_input))
def input_gradient(outs, ins, problem, work):
    """dx = dy @ weight."""
    _launch("linear_input", problem, *outs, problem.o, *ins)


@linear_weight.kernel("tiled", backend="cuda", cost=_cost(linear_weight))
def weight_gradient(outs, ins, problem, work):
    """dweight = dy^T @ x."""
    _launch("linear_weight", problem, *outs, problem.n, *ins)
