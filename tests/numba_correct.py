"""Kernels in Python without a fault: what the simulator must run, and find nothing wrong with."""

import math

import numpy as np

from gpuconv.cuda.numba import cuda

ALL = 0xFFFFFFFF
SHAPE = (8, 9)


@cuda.jit
def where_am_i(y):
    """A thread's place along three dimensions, written where it belongs."""
    i, j, k = cuda.grid(3)
    sizes = cuda.gridsize(3)
    assert cuda.grid(2) == (i, j)
    y[k, j, i] = (k * sizes[1] + j) * sizes[0] + i


@cuda.jit
def transpose(y, x):
    """8 x 8 tiles by way of shared memory."""
    tile = cuda.shared.array(SHAPE, x.dtype)
    down, across = cuda.threadIdx.y, cuda.threadIdx.x
    row, col = cuda.blockIdx.y * 8, cuda.blockIdx.x * 8
    if row + down < x.shape[0] and col + across < x.shape[1]:
        tile[down, across] = x[row + down, col + across]
    cuda.syncthreads()
    if col + down < y.shape[0] and row + across < y.shape[1]:
        y[col + down, row + across] = tile[across, down]


@cuda.jit
def running_sums(y, x):
    """Sums of 1, 2, 4 ... neighbours: two barriers a step."""
    tile = cuda.shared.array(64, x.dtype)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    cuda.syncthreads()
    step = 1
    while step < 64:
        before = tile[t - step] if t >= step else x.dtype.type(0)
        cuda.syncthreads()
        tile[t] += before
        cuda.syncthreads()
        step *= 2
    y[t] = tile[t]


@cuda.jit(device=True)
def neighbour(tile, lane):
    """A lane's right neighbour, by way of shared memory and __syncwarp."""
    tile[lane] = lane
    cuda.syncwarp()
    found = tile[(lane + 1) % 32] + tile[0]
    cuda.syncwarp()
    return found


@cuda.jit
def neighbours(y):
    """One warp of two works; a device function waits, twice, on one array."""
    tile = cuda.shared.array(32, np.float32)
    if cuda.threadIdx.x < 32:
        first = neighbour(tile, cuda.laneid)
        y[cuda.threadIdx.x] = first + neighbour(tile, cuda.laneid)


@cuda.jit
def two_arrays_in_a_line(y):
    """Shared arrays made on one line are two."""
    a, b = cuda.shared.array(64, np.int64), cuda.shared.array(64, np.int64)
    a[cuda.threadIdx.x], b[cuda.threadIdx.x] = 1, 2
    cuda.syncthreads()
    y[cuda.threadIdx.x] = 10 * a[63 - cuda.threadIdx.x] + b[63 - cuda.threadIdx.x]


@cuda.jit
def collectives(y):
    """Every shuffle and vote, a row for each."""
    lane, odd = cuda.laneid, cuda.laneid % 2 == 1
    y[0, lane] = cuda.shfl_sync(ALL, lane, 5)
    y[1, lane] = cuda.shfl_xor_sync(ALL, lane, 3)
    y[2, lane] = cuda.shfl_up_sync(ALL, lane, 2)
    y[3, lane] = cuda.shfl_down_sync(ALL, lane, 2)
    y[4, lane] = cuda.ballot_sync(ALL, odd)
    y[5, lane] = cuda.any_sync(ALL, lane == 31)
    y[6, lane] = cuda.all_sync(ALL, lane < 31)
    y[7, lane] = cuda.syncthreads_count(odd)
    y[8, lane] = cuda.syncthreads_and(lane < 32)
    y[9, lane] = cuda.syncthreads_or(lane > 31)
    if odd:
        y[10, lane] = cuda.shfl_sync(0xAAAAAAAA, lane, 7)
    else:
        y[10, lane] = cuda.shfl_sync(0x55555555, lane, 6)


@cuda.jit
def histogram(counts, highest, lowest, x):
    """Atomics on global memory: integers, so that the order does not matter."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(counts, x[i] % counts.size, 1)
        cuda.atomic.max(highest, 0, x[i])
        cuda.atomic.min(lowest, 0, x[i])
    cuda.threadfence()


@cuda.jit
def arrivals(y, count):
    """Who came when."""
    y[cuda.atomic.add(count, 0, 1)] = cuda.grid(1)


@cuda.jit
def in_place(x):
    """Reads and writes its own element; a row is a view."""
    row = x[cuda.blockIdx.x]
    own = cuda.local.array(2, x.dtype)
    own[0], own[1] = row[cuda.threadIdx.x], 2
    row[cuda.threadIdx.x] = own[0] * own[1]


@cuda.jit
def functions(y, x):
    """What math knows, in the type of its argument: exp(1000) is infinity, as it is on a GPU."""
    y[0] = math.exp(x[0])
    y[1] = math.expm1(x[1])
    y[2] = math.sqrt(x[1])
    y[3] = cuda.fma(x[1], x[1], x[1])
    y[4] = x[1] / (x[1] - x[1])


def scaler(factor):
    """A kernel with a value from around it, which waits."""

    @cuda.jit
    def scale(y):
        cuda.syncthreads()
        y[cuda.threadIdx.x] *= factor

    return scale
