"""ufunc: whole-array NumPy, the weights broadcast along axis 1."""

import numpy as np

from .._cpu_cost import streaming
from .._numpy import branch
from .op import PreluProblem, prelu, prelu_backward


def _broadcast(problem: PreluProblem, weight: np.ndarray) -> np.ndarray:
    return weight.reshape(-1, *(1,) * (len(problem.shape) - 2))


@prelu.kernel("ufunc", backend="numpy", cost=streaming(prelu, "numpy", 5.0))
def forward(outs, ins, problem, work):
    """y = x * (weight where x <= 0, else 1)."""
    (y,), (x, weight) = outs, ins
    branch(y, x, _broadcast(problem, weight))
    with np.errstate(invalid="ignore"):
        y *= x


@prelu_backward.kernel("ufunc", backend="numpy", cost=streaming(prelu_backward, "numpy", 8.0))
def backward(outs, ins, problem, work):
    """dx = dy * (weight where x <= 0, else 1); dweight: a channel's rows first, then the batch."""
    (dx, dweight), (dy, x, weight) = outs, ins
    with np.errstate(invalid="ignore"):
        np.multiply(np.minimum(x, 0), dy, out=dx)
        if problem.weights == 1:
            np.sum(dx, keepdims=True, out=dweight.reshape((1,) * dx.ndim))
        else:
            np.sum(dx.sum(tuple(range(2, dx.ndim))), axis=0, out=dweight)
        branch(dx, x, _broadcast(problem, weight))
        dx *= dy
