"""direct: one thread per element; channel sums slice by slice, the slices in order."""

from math import prod

from gpuconv.cuda import Source
from gpuconv.cuda.launch import BLOCK
from gpuconv.device import Device

from .._cost import SCALAR, streaming, summing
from .._cuda import Launcher, ceil_div, nbytes, typed
from .op import ChannelSumProblem, accumulate, add, channel_sum, copy, zeros

SOURCE = Source(__file__)
SLICES = 64  # blocks that share a channel, at most


@add.kernel("direct", backend="cuda", cost=streaming(add, SCALAR))
def run_add(outs, ins, problem, work):
    """y = a + b."""
    Launcher(SOURCE, problem).each("add", outs[0].size, *outs, *ins)


@accumulate.kernel("direct", backend="cuda", cost=streaming(accumulate, SCALAR))
def run_accumulate(outs, ins, problem, work):
    """total += x."""
    Launcher(SOURCE, problem).each("accumulate", outs[0].size, *outs, *ins)


@copy.kernel("direct", backend="cuda", cost=streaming(copy, SCALAR))
def run_copy(outs, ins, problem, work):
    """y = x."""
    Launcher(SOURCE, problem).each("copy", outs[0].size, *outs, *ins)


@zeros.kernel("direct", backend="cuda", cost=streaming(zeros, SCALAR))
def run_zeros(outs, ins, problem, work):
    """y = 0."""
    Launcher(SOURCE, problem).each("zeros", outs[0].size, *outs)


def _length(problem: ChannelSumProblem) -> int:
    """Elements of one channel."""
    return problem.shape[0] * prod(problem.shape[2:])


def _slices(problem: ChannelSumProblem) -> int:
    return min(max(1, ceil_div(_length(problem), BLOCK)), SLICES)


def _workspace(problem: ChannelSumProblem, device: Device) -> int:
    return nbytes(problem, _slices(problem) * problem.shape[1])


@channel_sum.kernel("direct", backend="cuda", workspace=_workspace, cost=summing(channel_sum))
def run_channel_sum(outs, ins, problem, work):
    """Partial sums of every slice of a channel, then the slices in order."""
    (y,), (x,) = outs, ins
    slices, run = _slices(problem), Launcher(SOURCE, problem)
    shape = run.struct(
        channels=y.size,
        positions=prod(problem.shape[2:]),
        length=_length(problem),
        slices=slices,
    )
    if y.size:
        partial = typed(work, problem)
        run.each_block("channel_slices", slices * y.size, partial, x, shape)
        run.each("channel_sum", y.size, y, partial, run.index(slices))
