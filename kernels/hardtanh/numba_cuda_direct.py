"""direct: hardtanh (ReLU6) and its gradient, one thread per element, written in Python.

Idea: as in cuda_direct.cu beside this file. The bounds come as NumPy scalars of the arrays' dtype:
  a Python float would be sent as 64 bits and compared in 64 bits.
Grid: one thread for each element, striding over what is left. Shared memory: none.
Takes: every shape, float32 and float64; an index has 64 bits.
Next rung: memory is the limit; cuda_vectorised.cu moves 16 bytes at once.
"""

import numpy as np

from gpuconv.cuda.numba import cuda

from .._numba_cuda import each
from .op import hardtanh, hardtanh_backward


@cuda.jit
def clamp(y, x, low, high):
    """y = x between the bounds; a NaN is beyond neither."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = low if x[i] <= low else high if x[i] >= high else x[i]


@cuda.jit
def clamp_gradient(dx, dy, y, low, high):
    """dx = 0 where y is at a bound or beyond, else dy."""
    zero = dy.dtype.type(0)
    for i in range(cuda.grid(1), dy.size, cuda.gridsize(1)):
        dx[i] = zero if y[i] <= low or y[i] >= high else dy[i]


def _each(kernel, outs, ins, problem):
    flat = (array.reshape(-1) for array in (*outs, *ins))
    each(kernel, outs[0].size, *flat, *map(np.dtype(problem.dtype).type, problem.bounds))


@hardtanh.kernel("direct", backend="numba_cuda", rank=95)
def forward(outs, ins, problem, work):
    """y = min(max(x, min_val), max_val)."""
    _each(clamp, outs, ins, problem)


@hardtanh_backward.kernel("direct", backend="numba_cuda", rank=95)
def backward(outs, ins, problem, work):
    """dx = dy where min_val < y < max_val, else 0."""
    _each(clamp_gradient, outs, ins, problem)
