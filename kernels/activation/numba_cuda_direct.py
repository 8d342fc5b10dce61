"""direct: leaky ReLU, ELU and their gradients, one thread per element, written in Python.

Idea: as in cuda_direct.cu beside this file, a thread takes an element, then the one a whole grid
  further. A slope or scale comes as a NumPy scalar of the arrays' dtype: a Python float would be
  sent as 64 bits, and what it meets computed in 64 bits, where C++ rounds it to the parameter's
  type.
  ``math.exp`` and ``math.expm1`` become the function of the argument's type.
Grid: one thread for each element, striding over what is left. Shared memory: none.
Takes: every shape, float32 and float64; an index has 64 bits.
Next rung: memory is the limit; cuda_vectorised.cu moves 16 bytes at once, fusion moves none.
"""

import math

import numpy as np

from gpuconv.cuda.numba import cuda

from .._numba_cuda import each
from .op import elu, elu_backward, leaky_relu, leaky_relu_backward


@cuda.jit
def leak(y, x, slope):
    """y = slope * x where x <= 0, else x."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = slope * x[i] if x[i] <= zero else x[i]


@cuda.jit
def leak_gradient(dx, dy, x, slope):
    """dx = slope * dy where x <= 0, else dy."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        dx[i] = slope * dy[i] if x[i] <= zero else dy[i]


@cuda.jit
def saturate(y, x, depth, scale):
    """y = depth * (e^x - 1) where x <= 0, else scale * x; depth is alpha * scale."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        y[i] = depth * math.expm1(x[i]) if x[i] <= zero else scale * x[i]


@cuda.jit
def saturate_gradient(dx, dy, x, depth, scale):
    """dx = depth * e^x * dy where x <= 0, else scale * dy."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        dx[i] = depth * math.exp(x[i]) * dy[i] if x[i] <= zero else scale * dy[i]


def _each(kernel, outs, ins, problem, *constants):
    flat = (array.reshape(-1) for array in (*outs, *ins))
    each(kernel, outs[0].size, *flat, *map(np.dtype(problem.dtype).type, constants))


@leaky_relu.kernel("direct", backend="numba_cuda", rank=95)
def leaky(outs, ins, problem, work):
    """y = negative_slope * x where x <= 0, else x."""
    _each(leak, outs, ins, problem, problem.negative_slope)


@leaky_relu_backward.kernel("direct", backend="numba_cuda", rank=95)
def leaky_gradient(outs, ins, problem, work):
    """dx = negative_slope * dy where x <= 0, else dy."""
    _each(leak_gradient, outs, ins, problem, problem.negative_slope)


@elu.kernel("direct", backend="numba_cuda", rank=95)
def exponential(outs, ins, problem, work):
    """y = alpha * scale * (e^x - 1) where x <= 0, else scale * x."""
    _each(saturate, outs, ins, problem, problem.depth, problem.scale)


@elu_backward.kernel("direct", backend="numba_cuda", rank=95)
def exponential_gradient(outs, ins, problem, work):
    """dx = alpha * scale * e^x * dy where x <= 0, else scale * dy."""
    _each(saturate_gradient, outs, ins, problem, problem.depth, problem.scale)
