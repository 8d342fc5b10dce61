"""im2col_gemm: a column matrix in the workspace, chunk by chunk, and matrix products with it.

Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing" (2006).
"""

from collections.abc import Iterator
from typing import Any

from gpuconv.cuda import Source
from gpuconv.cuda.rates import LAUNCH
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cuda import Launcher, ceil_div, nbytes, refuses_epilogue, typed
from .._gemm import Gemm
from ._cuda import launcher, struct
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SOURCE = Source(__file__)
COLUMNS = 64 << 20  # bytes of columns at once, at most
POSITIONS = 64  # of the output at once, at least


def _taps(problem: Conv2dProblem) -> int:
    """Rows of the column matrix, of all groups."""
    return problem.c * problem.r * problem.s


def _size(problem: Conv2dProblem) -> int:
    """Positions of a chunk, at least 1; the last chunk may have fewer."""
    fit = COLUMNS // nbytes(problem, max(1, _taps(problem)))
    return max(1, min(problem.n * problem.p * problem.q, max(fit, POSITIONS)))


def _chunks(problem: Conv2dProblem) -> Iterator[tuple[int, int]]:
    """First position and size of each chunk; an empty batch is one chunk of size 0."""
    positions, size = problem.n * problem.p * problem.q, _size(problem)
    for first in range(0, max(1, positions), size):
        yield first, min(size, positions - first)


def _gemm(op: Op, problem: Conv2dProblem, size: int) -> Gemm:
    """The product of a chunk."""
    kg, taps, groups = problem.kg, _taps(problem) // problem.groups, problem.groups
    if op is conv2d:
        return Gemm(problem, kg, size, taps, groups)
    if op is conv2d_input:
        return Gemm(problem, taps, size, kg, groups)
    return Gemm(problem, kg, taps, size, groups).split()


def _partial(op: Op, problem: Conv2dProblem) -> int:
    """Elements of the weight gradient's slices."""
    gemm = _gemm(op, problem, _size(problem))
    return gemm.slices * gemm.results if op is conv2d_weight else 0


def _declared(op: Op) -> dict[str, Any]:
    def workspace(problem: Conv2dProblem, device: Device) -> int:
        return nbytes(problem, _taps(problem) * _size(problem) + _partial(op, problem))

    def cost(problem: Conv2dProblem, device: Device) -> float:
        """Seconds; the columns are written and read once more."""
        positions, size = problem.n * problem.p * problem.q, _size(problem)
        chunks = max(1, ceil_div(positions, size))
        columns = 2 * nbytes(problem, _taps(problem) * size)
        each = _gemm(op, problem, size).cost(op.bytes(problem) / chunks + columns)
        return chunks * (LAUNCH + each)

    return {"backend": "cuda", "workspace": workspace, "cost": cost}


def _launcher(op: Op, problem: Conv2dProblem) -> Launcher:
    size = _size(problem)
    return launcher(SOURCE, problem, _taps(problem) * size, *_gemm(op, problem, size).counts)


@conv2d.kernel("im2col_gemm", refuses=refuses_epilogue, **_declared(conv2d))
def forward(outs, ins, problem, work):
    """y = weight * columns, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    run, columns = _launcher(conv2d, problem), typed(work, problem)
    given, conv = weight if bias is None else bias, struct(run, problem, bias is not None)
    for first, size in _chunks(problem):
        _im2col(run, problem, columns, x, first, size)
        gemm = _gemm(conv2d, problem, size)
        arguments = y, columns, weight, given, conv, gemm.struct(run), run.index(first)
        run.each_block("conv2d", gemm.tiles, *arguments)


def _im2col(
    run: Launcher, problem: Conv2dProblem, columns: Any, x: Any, first: int, size: int
) -> None:
    """Fill the columns of ``size`` positions."""
    arguments = columns, x, struct(run, problem), run.index(first), run.index(size)
    run.each("im2col", _taps(problem) * size, *arguments)


@conv2d_input.kernel("im2col_gemm", **_declared(conv2d_input))
def input_gradient(outs, ins, problem, work):
    """columns = weight^T * dy, and dx gathers from them (col2im)."""
    (dx,), (dy, weight) = outs, ins
    run, columns = _launcher(conv2d_input, problem), typed(work, problem)
    conv = struct(run, problem)
    for first, size in _chunks(problem):
        gemm, start = _gemm(conv2d_input, problem, size), run.index(first)
        arguments = columns, dy, weight, conv, gemm.struct(run), start
        run.each_block("conv2d_input", gemm.tiles, *arguments)
        plane = problem.p * problem.q
        image, end = first // plane, ceil_div(first + size, plane)
        touched = (end - image) * problem.c * problem.h * problem.w
        given = dx, columns, conv, run.index(image), start, run.index(size)
        run.each("col2im", touched, *given)


@conv2d_weight.kernel("im2col_gemm", **_declared(conv2d_weight))
def weight_gradient(outs, ins, problem, work):
    """dweight = dy * columns^T, slice by slice and chunk by chunk."""
    (dweight,), (x, dy) = outs, ins
    run, conv_size = _launcher(conv2d_weight, problem), _taps(problem) * _size(problem)
    columns, partial = typed(work, problem)[:conv_size], typed(work, problem)[conv_size:]
    conv = struct(run, problem)
    for first, size in _chunks(problem):
        _im2col(run, problem, columns, x, first, size)
        gemm, start = _gemm(conv2d_weight, problem, size), run.index(first)
        arguments = partial, columns, dy, conv, gemm.struct(run), start
        run.each_block("conv2d_weight_slices", gemm.tiles, *arguments)
        slices = run.index(gemm.slices)
        run.each("conv2d_weight_total", dweight.size, dweight, partial, slices, start)
