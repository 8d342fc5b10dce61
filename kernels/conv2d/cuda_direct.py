"""direct: one thread per result; the weight gradient slice by slice, the slices in order."""

from collections.abc import Callable
from math import prod

from gpuconv.cuda import Source
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cost import estimate
from .._cuda import nbytes, refuses_epilogue, typed
from ._cuda import launcher, struct
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
SLICES = 64  # parts of a weight's sum, at most
ROWS = 4  # output rows of a part, at least
THREADS = 1 << 20  # more of them than this do not fill a GPU any better
EFFICIENCY = 0.05  # share of the arithmetic's peak: two reads for each multiply-add

Cost = Callable[[Conv2dProblem, Device], float]


def _cost(op: Op, threads: Callable[[Conv2dProblem], int], launches: int = 1) -> Cost:
    """Seconds, where the op is done by so many threads."""
    return lambda problem, device: estimate(
        problem,
        flops=op.flops(problem),
        nbytes=op.bytes(problem),
        threads=threads(problem),
        efficiency=EFFICIENCY,
        launches=launches,
    )


def _results(op: Op) -> Callable[[Conv2dProblem], int]:
    return lambda problem: prod(problem.spec(op.outs[0])[0])


forward_cost = _cost(conv2d, _results(conv2d))
input_cost = _cost(conv2d_input, _results(conv2d_input))


@conv2d.kernel("direct", backend="cuda", rank=90, refuses=refuses_epilogue, cost=forward_cost)
def forward(outs, ins, problem, work):
    """y = sum over c, r, s of x * weight, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    run = launcher(SOURCE, problem)
    given = weight if bias is None else bias
    run.each("conv2d", y.size, y, x, weight, given, struct(run, problem, bias is not None))


@conv2d_input.kernel("direct", backend="cuda", rank=90, cost=input_cost)
def input_gradient(outs, ins, problem, work):
    """dx = sum over the outputs that an input took part in."""
    (dx,), (dy, weight) = outs, ins
    run = launcher(SOURCE, problem)
    run.each("conv2d_input", dx.size, dx, dy, weight, struct(run, problem))


def _slices(problem: Conv2dProblem) -> int:
    weights = prod(problem.spec("weight")[0])
    return max(1, min(SLICES, problem.n * problem.p // ROWS, THREADS // max(weights, 1)))


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return nbytes(problem, _threads(problem)) if _slices(problem) > 1 else 0


def _threads(problem: Conv2dProblem) -> int:
    return _slices(problem) * prod(problem.spec("weight")[0])


one_slice_cost = _cost(conv2d_weight, _results(conv2d_weight))
sliced_cost = _cost(conv2d_weight, _threads, launches=2)


def weight_cost(problem: Conv2dProblem, device: Device) -> float:
    """Seconds; one slice needs no second launch."""
    return (sliced_cost if _slices(problem) > 1 else one_slice_cost)(problem, device)


@conv2d_weight.kernel("direct", backend="cuda", rank=90, workspace=_workspace, cost=weight_cost)
def weight_gradient(outs, ins, problem, work):
    """dweight = partial sums over slices of output rows, then the slices in order."""
    (dweight,), (x, dy) = outs, ins
    run, slices = launcher(SOURCE, problem), _slices(problem)
    partial = typed(work, problem) if slices > 1 else dweight
    arguments = partial, x, dy, struct(run, problem), run.index(slices)
    run.each("conv2d_weight_slices", slices * dweight.size, *arguments)
    if slices > 1:
        run.each("conv2d_weight_total", dweight.size, dweight, partial, run.index(slices))
