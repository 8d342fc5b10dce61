"""What the CUDA kernels of batch normalisation share: slices of a channel, sums over them."""

from collections.abc import Iterator
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.launch import BLOCK

from .._cuda import Launcher, ceil_div, nbytes
from .op import BatchNormProblem

BLOCKS = 1 << 12  # more of them than this do not fill a GPU any better


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


def struct(run: Launcher, problem: BatchNormProblem, weight: Any = None, bias: Any = None) -> Any:
    """The problem as the kernels' Channels."""
    return run.struct(
        channels=problem.c,
        positions=problem.s,
        length=problem.n * problem.s,
        slices=slices(problem),
        has_weight=weight is not None,
        has_bias=bias is not None,
    )


def affine(instead: Any, *given: Any) -> Iterator[Any]:
    """Weight and bias; ``instead`` of a missing one, which the kernel does not read."""
    return (instead if array is None else array for array in given)
