"""direct: ReLU and its gradient, one thread per element, written in Python.

Idea: as in cuda_direct.cu beside this file, a thread takes an element, then the one a whole grid
  further. There the source is compiled for one type at a time, named by macros; here Numba sees
  the arrays of the launch, compiles for their types, and keeps what it compiled. A literal 0 would
  be a 64-bit integer, and 64-bit arithmetic would follow: ``x.dtype.type(0)`` is a zero of x's
  type.
Grid: one thread for each element, striding over what is left. Shared memory: none.
Takes: every shape, float32 and float64; an index has 64 bits.
Next rung: memory is the limit; cuda_vectorised.cu moves 16 bytes at once.
"""

from gpuconv.cuda.numba import cuda

from .._numba_cuda import each
from .op import relu, relu_backward


@cuda.jit
def rectify(y, x):
    """y = 0 where x <= 0, else x; a NaN is not <= 0."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = zero if x[i] <= zero else x[i]


@cuda.jit
def mask(dx, dy, y):
    """dx = 0 where y <= 0, else dy."""
    zero = dy.dtype.type(0)
    for i in range(cuda.grid(1), dy.size, cuda.gridsize(1)):
        dx[i] = zero if y[i] <= zero else dy[i]


@relu.kernel("direct", backend="numba_cuda", rank=95)
def forward(outs, ins, problem, work):
    """y = 0 where x <= 0, else x."""
    each(rectify, outs[0].size, *(a.reshape(-1) for a in (*outs, *ins)))


@relu_backward.kernel("direct", backend="numba_cuda", rank=95)
def backward(outs, ins, problem, work):
    """dx = 0 where y <= 0, else dy."""
    each(mask, outs[0].size, *(a.reshape(-1) for a in (*outs, *ins)))
