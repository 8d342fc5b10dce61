"""Kernels in Python with one fault each; a comment names the error and, if it is sure, the thread.

Each takes an output y and an input x of 64 elements.
"""

from gpuconv.cuda.numba import cuda

ALL = 0xFFFFFFFF
HUGE = 7000  # doubles: more than a block's 48 KB


@cuda.jit
def global_write(y, x):
    y[cuda.threadIdx.x + 1] = x[0]  # BoundsError 63


@cuda.jit
def global_read(y, x):
    y[0] = x[64 + cuda.threadIdx.x]  # BoundsError


@cuda.jit
def negative_index(y, x):
    y[cuda.threadIdx.x - 1] = x[0]  # BoundsError 0


@cuda.jit
def too_many_indices(y, x):
    y[cuda.threadIdx.x, 0] = x[0]  # BoundsError


@cuda.jit
def index_of_a_view(y, x):
    half = x[32:]
    y[cuda.threadIdx.x] = half[cuda.threadIdx.x]  # BoundsError


@cuda.jit
def shared_index(y, x):
    tile = cuda.shared.array((2, 16), x.dtype)
    tile[cuda.threadIdx.x // 16, cuda.threadIdx.x % 16] = x[0]  # BoundsError
    y[cuda.threadIdx.x] = x[0]


@cuda.jit
def local_array(y, x):
    own = cuda.local.array(4, x.dtype)
    for i in range(4):
        own[i] = x[i]
    y[cuda.threadIdx.x] = own[cuda.threadIdx.x]  # BoundsError


@cuda.jit
def uninitialized_shared(y, x):
    tile = cuda.shared.array(64, x.dtype)
    if cuda.threadIdx.x != 5:
        tile[cuda.threadIdx.x] = x[0]
    cuda.syncthreads()
    y[cuda.threadIdx.x] = tile[cuda.threadIdx.x]  # UninitializedError 5


@cuda.jit
def uninitialized_local(y, x):
    own = cuda.local.array(4, x.dtype)
    y[cuda.threadIdx.x] = own[1]  # UninitializedError


@cuda.jit
def missing_sync(y, x):
    tile = cuda.shared.array(64, x.dtype)
    tile[cuda.threadIdx.x] = x[cuda.threadIdx.x]
    y[cuda.threadIdx.x] = tile[63 - cuda.threadIdx.x]  # UninitializedError RaceError


@cuda.jit
def missing_second_sync(y, x):
    tile = cuda.shared.array(64, x.dtype)
    for _ in range(2):
        tile[cuda.threadIdx.x] = x[cuda.threadIdx.x]  # RaceError
        cuda.syncthreads()
        y[cuda.threadIdx.x] = tile[63 - cuda.threadIdx.x]  # RaceError


@cuda.jit
def missing_syncwarp(y, x):
    tile = cuda.shared.array(64, x.dtype)
    lane, start = cuda.laneid, cuda.threadIdx.x - cuda.laneid
    tile[start + lane] = x[lane]
    cuda.shfl_xor_sync(ALL, lane, 1)  # lanes meet, but that orders no memory
    y[start + lane] = tile[start + 31 - lane]  # RaceError


@cuda.jit
def write_after_many_read(y, x):
    cell = cuda.shared.array(1, x.dtype)
    if cuda.threadIdx.x == 0:
        cell[0] = x[0]
    cuda.syncthreads()
    y[cuda.threadIdx.x] = cell[0]  # RaceError
    if cuda.threadIdx.x == 20:
        cell[0] = x[1]  # RaceError 20


@cuda.jit
def race_between_blocks(y, x):
    y[cuda.threadIdx.x] = x[cuda.blockIdx.x]  # RaceError


@cuda.jit
def read_of_another_block(y, x):
    y[cuda.grid(1)] = x[0]
    cuda.syncthreads()
    if cuda.blockIdx.x == 1:
        y[cuda.grid(1)] = y[cuda.threadIdx.x]  # RaceError
    elif cuda.blockIdx.x == 0:
        y[cuda.grid(1)] = y[cuda.grid(1) + 32]  # RaceError


@cuda.jit
def missing_atomic(y, x):
    y[0] += x[cuda.threadIdx.x]  # RaceError


@cuda.jit
def divergent_barrier(y, x):
    if cuda.threadIdx.x % 2 == 0:
        cuda.syncthreads()  # BarrierError
    y[cuda.threadIdx.x] = x[0]


@cuda.jit
def two_barriers(y, x):
    if cuda.threadIdx.x < 10:
        cuda.syncthreads()  # BarrierError
    else:
        cuda.syncthreads()  # BarrierError
    y[cuda.threadIdx.x] = x[0]


@cuda.jit
def early_exit(y, x):
    if cuda.threadIdx.x >= 50:
        return
    y[cuda.threadIdx.x] = x[0]
    cuda.syncthreads()  # BarrierError 0


@cuda.jit(device=True)
def meet(turns):
    for _ in range(turns):
        cuda.syncthreads()  # BarrierError


@cuda.jit
def barrier_in_an_uneven_loop(y, x):
    meet(1 + cuda.threadIdx.x % 3)  # see meet
    y[cuda.threadIdx.x] = x[0]


@cuda.jit
def shuffle_missing_lane(y, x):
    if cuda.laneid != 7:
        y[cuda.threadIdx.x] = cuda.shfl_sync(ALL, x[0], 0)  # BarrierError


@cuda.jit
def shuffle_outside_mask(y, x):
    if cuda.laneid < 16:
        y[cuda.threadIdx.x] = cuda.shfl_sync(0xFFFF, x[0], 20)  # BarrierError


@cuda.jit
def mask_without_itself(y, x):
    y[cuda.threadIdx.x] = cuda.shfl_sync(0xFFFF, x[0], 2)  # BarrierError


@cuda.jit
def syncwarp_missing_lane(y, x):
    if cuda.laneid < 31:
        cuda.syncwarp()  # BarrierError
    y[cuda.threadIdx.x] = x[0]


@cuda.jit
def division(y, x):
    y[cuda.threadIdx.x] = 5 // (cuda.threadIdx.x - 5)  # UndefinedBehaviourError 5


@cuda.jit
def shared_memory_beyond_a_block(y, x):
    cuda.shared.array(HUGE, y.dtype)  # EmulatorError


@cuda.jit
def dynamic_shared_memory(y, x):
    cuda.shared.array(0, y.dtype)  # EmulatorError


@cuda.jit
def what_numba_does_not_have(y, x):
    y.sort()  # EmulatorError
