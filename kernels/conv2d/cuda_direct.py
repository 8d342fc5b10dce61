"""direct: one thread per result; the weight gradient slice by slice, the slices in order."""

from math import prod

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import nbytes, refuses_epilogue, typed
from ._cuda import launcher, struct
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
SLICES = 64  # parts of a weight's sum, at most
ROWS = 4  # output rows of a part, at least
THREADS = 1 << 20  # more of them than this do not fill a GPU any better


@conv2d.kernel("direct", backend="cuda", rank=90, refuses=refuses_epilogue)
def forward(outs, ins, problem, work):
    """y = sum over c, r, s of x * weight, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    run = launcher(SOURCE, problem)
    given = weight if bias is None else bias
    run.each("conv2d", y.size, y, x, weight, given, struct(run, problem, bias is not None))


@conv2d_input.kernel("direct", backend="cuda", rank=90)
def input_gradient(outs, ins, problem, work):
    """dx = sum over the outputs that an input took part in."""
    (dx,), (dy, weight) = outs, ins
    run = launcher(SOURCE, problem)
    run.each("conv2d_input", dx.size, dx, dy, weight, struct(run, problem))


def _slices(problem: Conv2dProblem) -> int:
    weights = prod(problem.spec("weight")[0])
    return max(1, min(SLICES, problem.n * problem.p // ROWS, THREADS // max(weights, 1)))


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    slices = _slices(problem)
    return nbytes(problem, slices * prod(problem.spec("weight")[0])) if slices > 1 else 0


@conv2d_weight.kernel("direct", backend="cuda", rank=90, workspace=_workspace)
def weight_gradient(outs, ins, problem, work):
    """dweight = partial sums over slices of output rows, then the slices in order."""
    (dweight,), (x, dy) = outs, ins
    run, slices = launcher(SOURCE, problem), _slices(problem)
    partial = typed(work, problem) if slices > 1 else dweight
    arguments = partial, x, dy, struct(run, problem), run.index(slices)
    run.each("conv2d_weight_slices", slices * dweight.size, *arguments)
    if slices > 1:
        run.each("conv2d_weight_total", dweight.size, dweight, partial, run.index(slices))
