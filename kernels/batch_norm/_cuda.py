"""What the CUDA kernels of batch normalisation share: slices of a channel, sums over them."""

from collections.abc import Callable, Iterator
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.launch import BLOCK
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cost import estimate
from .._cuda import Launcher, ceil_div, nbytes
from .op import BatchNormProblem

BLOCKS = 1 << 12  # more of them than this do not fill a GPU any better
CACHED = 1 << 15  # bytes of a channel that its block still finds in the cache, with many at work

Cost = Callable[[BatchNormProblem, Device], float]


def launcher(source: Source, problem: BatchNormProblem) -> Launcher:
    """A launcher whose indices reach a step of a block beyond the last image's last channel."""
    return Launcher(source, problem, problem.c * ((problem.n + 1) * problem.s + BLOCK))


def slices(problem: BatchNormProblem) -> int:
    """Parts of a channel, at most one for each block's length of elements."""
    most = max(1, BLOCKS // max(problem.c, 1))
    return max(1, min(ceil_div(problem.n * problem.s, BLOCK), most))


def partial_bytes(problem: BatchNormProblem, parts: int, also: int = 0) -> int:
    """Bytes of ``parts`` values for each slice of each channel, and of ``also`` per channel."""
    return nbytes(problem, (parts * slices(problem) + also) * problem.c)


def struct(
    run: Launcher,
    problem: BatchNormProblem,
    weight: Any = None,
    bias: Any = None,
    parts: int | None = None,
) -> Any:
    """The problem as the kernels' Channels, in ``parts`` slices unless in the usual number."""
    return run.struct(
        channels=problem.c,
        positions=problem.s,
        length=problem.n * problem.s,
        slices=parts or slices(problem),
        has_weight=weight is not None,
        has_bias=bias is not None,
    )


def affine(instead: Any, *given: Any) -> Iterator[Any]:
    """Weight and bias; ``instead`` of a missing one, which the kernel does not read."""
    return (instead if array is None else array for array in given)


def sliced_cost(op: Op) -> Cost:
    """Three launches; what is read comes from memory twice."""

    def cost(problem: BatchNormProblem, device: Device) -> float:
        threads = problem.n * problem.c * problem.s
        return _estimate(op, problem, 1.5, launches=3, threads=threads)

    return cost


def block_cost(op: Op) -> Cost:
    """One launch of a block for each channel; a long channel comes from memory every time."""

    def cost(problem: BatchNormProblem, device: Device) -> float:
        short = nbytes(problem, problem.n * problem.s) <= CACHED
        return _estimate(op, problem, 1 if short else 2, launches=1, threads=problem.c * BLOCK)

    return cost


def _estimate(op: Op, problem: BatchNormProblem, again: float, **how: int) -> float:
    """Seconds when all bytes move ``again`` and again."""
    flops, moved = op.flops(problem), again * op.bytes(problem)
    return estimate(problem, flops=flops, nbytes=moved, **how)
