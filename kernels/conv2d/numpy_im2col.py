"""im2col: copy every window into a column, then one matrix product per image.

Chellapilla, Puri and Simard, "High performance convolutional neural networks for document
processing" (2006). The column matrix of the whole batch is never held: the batch is worked on in
blocks of about 4 MB of columns (down to rows of one image), all of them in the workspace.
"""

from collections.abc import Iterator

import numpy as np

from gpuconv.device import Device
from gpuconv.shapes import Shape

from . import _cpu_cost as cost
from . import _numpy as shared
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight


def _blocks(problem: Conv2dProblem) -> tuple[int, int, list[Shape]]:
    """Images and rows of a block; shapes of its padded images and of its columns."""
    depth = problem.cg * problem.r * problem.s
    images, rows = shared.block_size(problem, problem.groups * depth * problem.q)
    columns = (images, problem.groups, depth, rows * problem.q)
    return images, rows, [shared.padded_shape(problem, images), columns]


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return shared.nbytes(problem, *_blocks(problem)[2])


def _product_shape(problem: Conv2dProblem) -> Shape:
    images, _, (_, columns) = _blocks(problem)
    return images, problem.groups, problem.kg, columns[2]


def _weight_workspace(problem: Conv2dProblem, device: Device) -> int:
    return shared.nbytes(problem, *_blocks(problem)[2], _product_shape(problem))


def _columns(buffer: np.ndarray, shape: Shape) -> np.ndarray:
    """The front of the buffer as the columns of a block, which may be smaller than the buffer."""
    return buffer.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def _gather(
    problem: Conv2dProblem, buffer: np.ndarray, padded: np.ndarray, rows: slice
) -> np.ndarray:
    """The block's columns (n, groups, depth, rows * q)."""
    view = shared.windows(problem, padded)[..., rows, :]
    columns = _columns(buffer, view.shape)
    np.copyto(columns, view)
    return columns.reshape(len(padded), problem.groups, buffer.shape[2], -1)


def _planes(problem: Conv2dProblem, outputs: np.ndarray) -> np.ndarray:
    """Outputs (n, k, p, q) as (n, groups, kg, p * q)."""
    return outputs.reshape(problem.n, problem.groups, problem.kg, problem.p * problem.q)


def _pieces(problem: Conv2dProblem, rows: int) -> Iterator[tuple[slice, slice]]:
    """The output's rows in blocks, and the positions that they are of a plane."""
    for part in shared.pieces(problem.p, rows):
        yield part, slice(part.start * problem.q, part.stop * problem.q)


@conv2d.kernel(
    "im2col",
    backend="numpy",
    rank=40,
    workspace=_workspace,
    refuses=shared.refuses,
    cost=cost.im2col("conv2d"),
)
def forward(outs, ins, problem, work):
    """y = weight @ columns, block by block."""
    (y,), (x, weight, bias) = outs, ins
    images, rows, shapes = _blocks(problem)
    border, buffer = shared.carve(work, problem.dtype, *shapes)
    matrix = weight.reshape(problem.groups, problem.kg, -1)
    planes = _planes(problem, y)
    for i in shared.pieces(problem.n, images):
        padded = shared.pad(problem, border, x[i])
        for part, positions in _pieces(problem, rows):
            columns = _gather(problem, buffer, padded, part)
            np.matmul(matrix, columns, out=planes[i][..., positions])
        shared.finish(problem, y[i], bias)


@conv2d_weight.kernel(
    "im2col",
    backend="numpy",
    rank=40,
    workspace=_weight_workspace,
    cost=cost.im2col("conv2d_weight"),
)
def weight_gradient(outs, ins, problem, work):
    """dweight = sum of dy @ columns^T over images, in the order of the batch."""
    (dweight,), (x, dy) = outs, ins
    images, rows, shapes = _blocks(problem)
    buffers = shared.carve(work, problem.dtype, *shapes, _product_shape(problem))
    border, buffer, products = buffers
    total, planes = dweight.reshape(products.shape[1:]), _planes(problem, dy)
    total.fill(0)
    for i in shared.pieces(problem.n, images):
        padded = shared.pad(problem, border, x[i])
        for part, positions in _pieces(problem, rows):
            columns = _gather(problem, buffer, padded, part).swapaxes(2, 3)
            product = products[: len(padded)]
            np.matmul(planes[i][..., positions], columns, out=product)
            total += product.sum(0)


@conv2d_input.kernel(
    "im2col", backend="numpy", rank=40, workspace=_workspace, cost=cost.im2col("conv2d_input")
)
def input_gradient(outs, ins, problem, work):
    """columns = weight^T @ dy, then every column is added back to its window (col2im)."""
    (dx,), (dy, weight) = outs, ins
    images, rows, shapes = _blocks(problem)
    border, buffer = shared.carve(work, problem.dtype, *shapes)
    matrix = weight.reshape(problem.groups, problem.kg, -1).swapaxes(1, 2)
    planes = _planes(problem, dy)
    for i in shared.pieces(problem.n, images):
        padded = border[: i.stop - i.start]
        padded.fill(0)
        for part, positions in _pieces(problem, rows):
            slope = planes[i][..., positions]
            columns = _columns(buffer, (*slope.shape[:2], matrix.shape[1], slope.shape[3]))
            _add_back(problem, padded, np.matmul(matrix, slope, out=columns), part)
        dx[i] = shared.inside(problem, padded)


def _add_back(problem: Conv2dProblem, padded: np.ndarray, columns: np.ndarray, rows: slice) -> None:
    """Add every column to the window that it came from."""
    count = rows.stop - rows.start
    taps = columns.reshape(len(padded), problem.c, problem.r, problem.s, count, problem.q)
    for r, s in np.ndindex(problem.r, problem.s):
        shared.tap(problem, padded, r, s)[:, :, rows] += taps[:, :, r, s]
