"""direct: PReLU, one thread per element, and a block for each weight's sum, written in Python.

Idea: dx needs its own element only. A weight's gradient is a sum over all elements of its channel:
  a block's threads add up every 256th each; then the lanes of a warp exchange their sums by
  ``cuda.shfl_xor_sync`` five times, after which each holds the warp's; one barrier later a
  thread adds up what the 8 warps left in shared memory. The order is the same every time.
  cuda_direct.cu writes dx on the way and adds up halves in shared memory, with 9 barriers.
Grid: one thread for each element; one block of 256 threads for each weight. Both stride over what
  is left. Shared memory: a number for each warp.
Takes: every shape, one weight or one a channel, float32 and float64; an index has 64 bits.
Next rung: one weight for all elements keeps one block busy; cuda_direct.cu sums slices first.
"""

from math import prod

from gpuconv.cuda.numba import cuda

from .._numba_cuda import each, each_block
from .op import PreluProblem, prelu, prelu_backward

WARPS = 8  # of a block
CHAIN = 16  # terms that are added up before their sum joins the total
ALL = 0xFFFFFFFF  # every lane of a warp


@cuda.jit
def activate(y, x, weight, inner):
    """y = weight[c] * x where x <= 0, else x; a channel has ``inner`` elements in a row."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = weight[i // inner % weight.size] * x[i] if x[i] <= zero else x[i]


@cuda.jit
def input_gradient(dx, dy, x, weight, inner):
    """dx = weight[c] * dy where x <= 0, else dy."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        dx[i] = weight[i // inner % weight.size] * dy[i] if x[i] <= zero else dy[i]


@cuda.jit(device=True)
def warp_sum(value):
    """The sum over a warp, to each of its lanes."""
    for lanes in (16, 8, 4, 2, 1):
        value += cuda.shfl_xor_sync(ALL, value, lanes)
    return value


@cuda.jit(device=True)
def own_sum(dy, x, channel, channels, inner):
    """A thread's part of a channel's sum of dy * min(x, 0), CHAIN terms at a time."""
    zero = x.dtype.type(0)
    total, part = zero, zero
    for i in range(cuda.threadIdx.x, x.size // channels, cuda.blockDim.x):
        at = (i // inner * channels + channel) * inner + i % inner
        part += dy[at] * (zero if x[at] > zero else x[at])
        if i // cuda.blockDim.x % CHAIN == CHAIN - 1:
            total, part = total + part, zero
    return total + part


@cuda.jit
def weight_gradient(dweight, dy, x, inner):
    """dweight[c] = the sum of dy * min(x, 0) over the channel; a NaN in x makes it NaN."""
    sums = cuda.shared.array(WARPS, x.dtype)
    for c in range(cuda.blockIdx.x, dweight.size, cuda.gridDim.x):
        total = warp_sum(own_sum(dy, x, c, dweight.size, inner))
        if cuda.laneid == 0:
            sums[cuda.threadIdx.x // cuda.warpsize] = total
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            total = sums[0]
            for warp in range(1, WARPS):
                total += sums[warp]
            dweight[c] = total
        cuda.syncthreads()


def _inner(problem: PreluProblem) -> int:
    """Elements in a row that share a weight."""
    return prod(problem.shape[2:]) if problem.weights > 1 else 1


@prelu.kernel("direct", backend="numba_cuda", rank=95)
def forward(outs, ins, problem, work):
    """y = weight[c] * x where x <= 0, else x."""
    flat = (array.reshape(-1) for array in (*outs, *ins))
    each(activate, outs[0].size, *flat, _inner(problem))


@prelu_backward.kernel("direct", backend="numba_cuda", rank=95)
def backward(outs, ins, problem, work):
    """dx and dweight, a launch for each."""
    dx, dweight, dy, x, weight = (array.reshape(-1) for array in (*outs, *ins))
    each(input_gradient, dx.size, dx, dy, x, weight, _inner(problem))
    each_block(weight_gradient, dweight.size, dweight, dy, x, _inner(problem))
