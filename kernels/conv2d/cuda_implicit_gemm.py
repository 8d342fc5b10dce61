"""implicit_gemm: convolution and both gradients as matrix products without a column matrix.

Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning" (2014), section 3.
"""

from collections.abc import Iterator

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cuda import refuses_epilogue, typed
from .._gemm import Gemm
from ._cuda import launcher, struct
from ._residues import Axis, axis_of
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
EFFICIENCY = 0.45  # share of the arithmetic's peak: 49% of the main loop's instructions are it


def _forward_gemm(problem: Conv2dProblem) -> Gemm:
    positions = problem.n * problem.p * problem.q
    return Gemm(problem, problem.kg, positions, problem.cg * problem.r * problem.s, problem.groups)


def _forward_cost(problem: Conv2dProblem, device: Device) -> float:
    return _forward_gemm(problem).cost(conv2d.bytes(problem), EFFICIENCY)


@conv2d.kernel("implicit_gemm", backend="cuda", refuses=refuses_epilogue, cost=_forward_cost)
def forward(outs, ins, problem, work):
    """y = weight * windows, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    gemm = _forward_gemm(problem)
    run = launcher(SOURCE, problem, *gemm.counts)
    given = weight if bias is None else bias
    conv = struct(run, problem, bias is not None)
    run.each_block("conv2d", gemm.tiles, y, x, weight, given, conv, gemm.struct(run))


def _residues(problem: Conv2dProblem) -> Iterator[tuple[Gemm, Axis, Axis]]:
    """The product of each pair of residues, and what it meets along rows and along columns."""
    for row in range(problem.stride[0]):
        for col in range(problem.stride[1]):
            down, across = axis_of(problem, 0, row), axis_of(problem, 1, col)
            places = problem.n * down.places * across.places
            depth = problem.kg * down.taps * across.taps
            yield Gemm(problem, problem.cg, places, depth, problem.groups), down, across


def _input_cost(problem: Conv2dProblem, device: Device) -> float:
    gemms = [gemm for gemm, _, _ in _residues(problem) if gemm.tiles]
    traffic = conv2d_input.bytes(problem) / max(1, len(gemms))
    return sum(gemm.cost(traffic, EFFICIENCY) for gemm in gemms)


@conv2d_input.kernel("implicit_gemm", backend="cuda", cost=_input_cost)
def input_gradient(outs, ins, problem, work):
    """dx = weight^T * the outputs that an input took part in, residue by residue."""
    (dx,), (dy, weight) = outs, ins
    for gemm, down, across in _residues(problem):
        run = launcher(SOURCE, problem, *gemm.counts)
        # Nothing is read where there are no taps, but a number is still divided by their count.
        axes = {
            f"{way}_{name}": max(1, size) if name == "taps" else size
            for way, axis in (("down", down), ("across", across))
            for name, size in axis._asdict().items()
        }
        given = struct(run, problem), run.struct(**axes), gemm.struct(run)
        run.each_block("conv2d_input", gemm.tiles, dx, dy, weight, *given)


def _weight_gemm(problem: Conv2dProblem) -> Gemm:
    taps, positions = problem.cg * problem.r * problem.s, problem.n * problem.p * problem.q
    return Gemm(problem, problem.kg, taps, positions, problem.groups).split()


def _weight_workspace(problem: Conv2dProblem, device: Device) -> int:
    return _weight_gemm(problem).workspace


def _weight_cost(problem: Conv2dProblem, device: Device) -> float:
    return _weight_gemm(problem).cost(conv2d_weight.bytes(problem), EFFICIENCY)


@conv2d_weight.kernel(
    "implicit_gemm", backend="cuda", workspace=_weight_workspace, cost=_weight_cost
)
def weight_gradient(outs, ins, problem, work):
    """dweight = dy * windows^T over slices of the positions, then the slices in order."""
    (dweight,), (x, dy) = outs, ins
    gemm = _weight_gemm(problem)
    run = launcher(SOURCE, problem, *gemm.counts)
    partial = dweight if work is None else typed(work, problem)
    arguments = partial, x, dy, struct(run, problem), gemm.struct(run)
    run.each_block("conv2d_weight_slices", gemm.tiles, *arguments)
    if work is not None:
        slices = run.index(gemm.slices)
        run.each("conv2d_weight_total", dweight.size, dweight, partial, slices)
