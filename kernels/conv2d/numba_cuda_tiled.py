"""tiled: convolution as one matrix product through shared memory, written in Python.

Idea: y = weight x pixels, where a row of the one holds a filter's taps and a column of the other
  the pixels that an output looks at. The second matrix is never written down: a block that needs a
  16 x 16 tile of it fetches the pixels from where they lie. It keeps that tile and one of weights
  in shared memory, so that each element fetched is used 16 times. 16 products are summed up, then
  16 such sums: rounding grows with the length of a chain.
  cuda_implicit_gemm.cu does the same with 4 x 4 results in each thread's registers, and for both
  gradients. Here a thread has one result: Numba keeps no array in registers for sure. In place of
  ``__shared__`` stands ``cuda.shared.array``, which wants a constant shape and takes the arrays'
  dtype; in place of ``__syncthreads``, ``cuda.syncthreads()``.
Grid: one block of 256 threads for each tile of 16 filters and 16 outputs, striding over the rest.
Shared memory: two tiles of 16 x 17.
Takes: every shape (strides, padding on four sides, dilation, groups), float32 and float64.
Next rung: two shared reads for each multiply-add; a thread with 4 x 4 results needs half a read
  (cuda_implicit_gemm.cu).
"""

from gpuconv.cuda.numba import cuda

from .._cuda import ceil_div, refuses_epilogue
from .._numba_cuda import TILE, TILE_SHAPE, each_block, inside, tile_product
from ._numba_cuda import CHAIN, window
from .op import conv2d


@cuda.jit(device=True)
def pixel(x, n, c, p, q, tap, size, window):
    """The pixel that an output meets at a tap of a filter of that size, 0 in the padding."""
    stride, pad, dilation = window
    row = p * stride[0] - pad[0] + tap // size[1] % size[0] * dilation[0]
    col = q * stride[1] - pad[1] + tap % size[1] * dilation[1]
    if inside(row, x.shape[2]) and inside(col, x.shape[3]):
        return x[n, c + tap // size[1] // size[0], row, col]
    return x.dtype.type(0)


@cuda.jit
def outputs(y, x, weight, bias, has_bias, relu, size, window):
    """y (N, groups, filters of one, P, Q) = weight (groups, filters of one, taps) x pixels."""
    weights = cuda.shared.array(TILE_SHAPE, x.dtype)
    pixels = cuda.shared.array(TILE_SHAPE, x.dtype)
    down, across, zero = cuda.threadIdx.x // TILE, cuda.threadIdx.x % TILE, x.dtype.type(0)
    groups, filters, taps = weight.shape
    channels, plane = x.shape[1] // groups, y.shape[3] * y.shape[4]
    rows, cols = (filters + TILE - 1) // TILE, (y.shape[0] * plane + TILE - 1) // TILE
    for tile in range(cuda.blockIdx.x, groups * rows * cols, cuda.gridDim.x):
        g, k = tile // cols // rows, tile // cols % rows * TILE + down
        at = tile % cols * TILE + across
        n, p, q = at // plane, at % plane // y.shape[4], at % y.shape[4]
        mine, total, part = k < filters and n < y.shape[0], zero, zero
        for step in range(0, taps, TILE):
            there = k < filters and step + across < taps
            weights[down, across] = weight[g, k, step + across] if there else zero
            there = n < y.shape[0] and step + down < taps
            near = pixel(x, n, g * channels, p, q, step + down, size, window) if there else zero
            pixels[down, across] = near
            cuda.syncthreads()
            if mine:
                part += tile_product(weights, pixels, down, across, taps - step)
            if step // TILE % CHAIN == CHAIN - 1:
                total, part = total + part, zero
            cuda.syncthreads()
        if mine:
            total += part
            if has_bias:
                total += bias[g * filters + k]
            y[n, g, k, p, q] = zero if relu and total <= zero else total


@conv2d.kernel("tiled", backend="numba_cuda", rank=94, refuses=refuses_epilogue)
def forward(outs, ins, problem, work):
    """y = weight x pixels, bias and ReLU in the same launch."""
    (y,), (x, weight, bias), groups = outs, ins, problem.groups
    given, relu = weight.reshape(-1) if bias is None else bias, problem.epilogue == "relu"
    tiles = groups * ceil_div(problem.kg, TILE) * ceil_div(problem.n * problem.p * problem.q, TILE)
    parts = y.reshape(problem.n, groups, problem.kg, problem.p, problem.q)
    matrix, size = weight.reshape(groups, problem.kg, -1), (problem.r, problem.s)
    each_block(
        outputs, tiles, parts, x, matrix, given, bias is not None, relu, size, window(problem)
    )
