"""im2col: copy every window into a column, then one matrix product per block of the batch.

Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing" (2006). The column matrix of the whole batch is never held: the batch is worked on in
blocks of about 4 MB of columns (down to rows of one image), all of them in the workspace.
"""

import numpy as np

from gpuconv.device import Device
from gpuconv.shapes import Shape

from . import _numpy as shared
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight


def _buffers(problem: Conv2dProblem) -> tuple[int, int, list[Shape]]:
    """Images and rows of a block; shapes of padded images, columns and outputs."""
    depth = problem.cg * problem.r * problem.s
    images, rows = shared.block_size(problem, problem.groups * depth * problem.q)
    length = images * rows * problem.q
    shapes = [
        shared.padded_shape(problem, images),
        (problem.groups, depth, length),
        (problem.groups, problem.kg, length),
    ]
    return images, rows, shapes


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return shared.nbytes(problem, *_buffers(problem)[2])


def _columns(
    problem: Conv2dProblem, buffer: np.ndarray, padded: np.ndarray, rows: slice
) -> np.ndarray:
    view = shared.windows(problem, padded)[..., rows, :]
    length = len(padded) * view.shape[-2] * problem.q
    columns = buffer.reshape(-1)[: problem.c * problem.r * problem.s * length]
    np.copyto(columns.reshape(view.shape), view)
    return columns.reshape(problem.groups, -1, length)


def _rows_first(problem: Conv2dProblem, buffer: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """dy (n, k, p, q) as (groups, kg, n * p * q)."""
    turned = buffer.reshape(-1)[: dy.size].reshape(problem.k, len(dy), *dy.shape[2:])
    np.copyto(turned, dy.swapaxes(0, 1))
    return turned.reshape(problem.groups, problem.kg, -1)


@conv2d.kernel("im2col", backend="numpy", rank=40, workspace=_workspace, refuses=shared.refuses)
def forward(outs, ins, problem, work):
    """y = weight @ columns, block by block."""
    (y,), (x, weight, bias) = outs, ins
    images, rows, shapes = _buffers(problem)
    border, columns, product = shared.carve(work, problem.dtype, *shapes)
    matrix = weight.reshape(problem.groups, problem.kg, -1)
    for i in shared.pieces(problem.n, images):
        padded = shared.pad(problem, border, x[i])
        for p in shared.pieces(problem.p, rows):
            block = _columns(problem, columns, padded, p)
            part = product.reshape(-1)[: problem.k * block.shape[2]]
            np.matmul(matrix, block, out=part.reshape(problem.groups, problem.kg, -1))
            target = y[i, :, p]
            shape = problem.k, len(target), target.shape[2], problem.q
            target[...] = part.reshape(shape).swapaxes(0, 1)
            shared.finish(problem, target, bias)


@conv2d_weight.kernel("im2col", backend="numpy", rank=40, workspace=_workspace)
def weight_gradient(outs, ins, problem, work):
    """dweight = sum over blocks of dy @ columns^T, in the order of the batch."""
    (dweight,), (x, dy) = outs, ins
    images, rows, shapes = _buffers(problem)
    border, columns, turned = shared.carve(work, problem.dtype, *shapes)
    total = dweight.reshape(problem.groups, problem.kg, -1)
    total.fill(0)
    for i in shared.pieces(problem.n, images):
        padded = shared.pad(problem, border, x[i])
        for p in shared.pieces(problem.p, rows):
            block = _columns(problem, columns, padded, p)
            total += _rows_first(problem, turned, dy[i, :, p]) @ block.swapaxes(1, 2)


@conv2d_input.kernel("im2col", backend="numpy", rank=40, workspace=_workspace)
def input_gradient(outs, ins, problem, work):
    """columns = weight^T @ dy, then every column is added back to its window (col2im)."""
    (dx,), (dy, weight) = outs, ins
    images, rows, shapes = _buffers(problem)
    border, columns, turned = shared.carve(work, problem.dtype, *shapes)
    matrix = weight.reshape(problem.groups, problem.kg, -1).swapaxes(1, 2)
    for i in shared.pieces(problem.n, images):
        padded = border[: i.stop - i.start]
        padded.fill(0)
        for p in shared.pieces(problem.p, rows):
            part = _rows_first(problem, turned, dy[i, :, p])
            block = columns.reshape(-1)[: matrix.shape[1] * problem.groups * part.shape[2]]
            np.matmul(matrix, part, out=block.reshape(problem.groups, -1, part.shape[2]))
            _add_back(problem, padded, block, p)
        dx[i] = shared.inside(problem, padded)


def _add_back(problem: Conv2dProblem, padded: np.ndarray, block: np.ndarray, rows: slice) -> None:
    count = rows.stop - rows.start
    taps = block.reshape(problem.c, problem.r, problem.s, len(padded), count, problem.q)
    for r, s in np.ndindex(problem.r, problem.s):
        shared.tap(problem, padded, r, s)[:, :, rows] += taps[:, r, s].swapaxes(0, 1)
