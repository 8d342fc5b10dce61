"""im2col: the pixels written out as a matrix, then a matrix product, written in Python.

Idea: for one image after the other, a first launch writes into the workspace, for each output, the
  column of all pixels that it looks at; a second multiplies the weights with that matrix by tiles
  of 16 x 16 in shared memory (Chellapilla et al. 2006). The matrix is R S times as large as the
  image; the tiled kernel beside this file does the same product and never writes it.
  cuda_im2col_gemm.cu takes a chunk of the batch at a time, hands pointers and leading dimensions
  to a product with 4 x 4 results in a thread, and has both gradients. Here the launches take views
  of an image, ``y[n]`` and ``x[n]``, and ask an array for its shape.
Grid: one thread for each element of the matrix; one block for each tile of the product.
Shared memory: two tiles of 16 x 17 for the product.
Takes: every shape (strides, padding on four sides, dilation, groups), float32 and float64. The
  workspace holds the matrix of one image.
Next rung: a product with 4 x 4 results in each thread (cuda_im2col_gemm.cu); or none of the
  traffic (numba_cuda_tiled.py).
"""

from gpuconv.cuda.numba import cuda
from gpuconv.device import Device

from .._cuda import ceil_div, nbytes, refuses_epilogue, typed
from .._numba_cuda import TILE, TILE_SHAPE, each, each_block, inside, tile_product, unravel
from ._numba_cuda import CHAIN, window
from .op import Conv2dProblem, conv2d


@cuda.jit
def write_columns(columns, image, width, window):
    """columns (C, R, S, outputs) of an image (C, H, W), 0 in the padding; a row is ``width``."""
    stride, pad, dilation = window
    for i in range(cuda.grid(1), columns.size, cuda.gridsize(1)):
        c, r, s, at = unravel(i, columns.shape)
        row = at // width * stride[0] - pad[0] + r * dilation[0]
        col = at % width * stride[1] - pad[1] + s * dilation[1]
        there = inside(row, image.shape[1]) and inside(col, image.shape[2])
        columns[c, r, s, at] = image[c, row, col] if there else image.dtype.type(0)


@cuda.jit(device=True)
def element(matrix, row, col):
    """An element, 0 beyond the edge: tiles hang over."""
    there = row < matrix.shape[0] and col < matrix.shape[1]
    return matrix[row, col] if there else matrix.dtype.type(0)


@cuda.jit
def multiply(y, weight, columns, bias, has_bias, relu):
    """y (groups, filters, outputs) = weight (groups, filters, taps) x columns, group by group."""
    left = cuda.shared.array(TILE_SHAPE, weight.dtype)
    right = cuda.shared.array(TILE_SHAPE, weight.dtype)
    down, across = cuda.threadIdx.x // TILE, cuda.threadIdx.x % TILE
    (groups, filters, taps), zero = weight.shape, weight.dtype.type(0)
    rows, cols = (filters + TILE - 1) // TILE, (y.shape[2] + TILE - 1) // TILE
    for tile in range(cuda.blockIdx.x, groups * rows * cols, cuda.gridDim.x):
        g, k = tile // cols // rows, tile // cols % rows * TILE + down
        at = tile % cols * TILE + across
        mine, total, part = k < filters and at < y.shape[2], zero, zero
        for step in range(0, taps, TILE):
            left[down, across] = element(weight[g], k, step + across)
            right[down, across] = element(columns[g], step + down, at)
            cuda.syncthreads()
            if mine:
                part += tile_product(left, right, down, across, taps - step)
            if step // TILE % CHAIN == CHAIN - 1:
                total, part = total + part, zero
            cuda.syncthreads()
        if mine:
            total += part
            if has_bias:
                total += bias[g * filters + k]
            y[g, k, at] = zero if relu and total <= zero else total


def _columns(problem: Conv2dProblem) -> int:
    return problem.c * problem.r * problem.s * problem.p * problem.q


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return nbytes(problem, _columns(problem) if problem.n else 0)


@conv2d.kernel(
    "im2col", backend="numba_cuda", rank=96, refuses=refuses_epilogue, workspace=_workspace
)
def forward(outs, ins, problem, work):
    """y = weight x the matrix of each image's pixels, bias and ReLU in the second launch."""
    (y,), (x, weight, bias), groups, filters = outs, ins, problem.groups, problem.kg
    given, relu = weight.reshape(-1) if bias is None else bias, problem.epilogue == "relu"
    matrix = weight.reshape(groups, filters, -1)
    tiles = groups * ceil_div(filters, TILE) * ceil_div(problem.p * problem.q, TILE)
    for n in range(problem.n):
        columns = typed(work, problem).reshape(problem.c, problem.r, problem.s, -1)
        each(write_columns, columns.size, columns, x[n], problem.q, window(problem))
        results, columns = (
            y[n].reshape(groups, filters, -1),
            columns.reshape(*matrix.shape[::2], -1),
        )
        each_block(multiply, tiles, results, matrix, columns, given, bias is not None, relu)
