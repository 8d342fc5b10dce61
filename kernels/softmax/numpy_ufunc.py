"""ufunc: whole-array NumPy, the maximum subtracted before any exponential."""

import numpy as np

from .._cpu_cost import streaming
from .op import log_softmax, log_softmax_backward, softmax, softmax_backward


@softmax.kernel("ufunc", backend="numpy", cost=streaming(softmax, "numpy", 6.0))
def run_softmax(outs, ins, problem, work):
    """y = exp(x - max) / sum."""
    (y,), (x,) = outs, ins
    with np.errstate(invalid="ignore"):  # inf - inf: the row is NaN, as it should be
        np.subtract(x, x.max(1, keepdims=True), out=y)
    np.exp(y, out=y)
    y /= y.sum(1, keepdims=True)


@log_softmax.kernel("ufunc", backend="numpy", cost=streaming(log_softmax, "numpy", 8.0))
def run_log_softmax(outs, ins, problem, work):
    """y = x - max - log(sum of exp(x - max))."""
    (y,), (x,) = outs, ins
    with np.errstate(invalid="ignore"):
        np.subtract(x, x.max(1, keepdims=True), out=y)
    y -= np.log(np.exp(y).sum(1, keepdims=True))


@softmax_backward.kernel("ufunc", backend="numpy", cost=streaming(softmax_backward, "numpy", 4.0))
def run_softmax_backward(outs, ins, problem, work):
    """dx = y (dy - sum of dy y)."""
    (dx,), (dy, y) = outs, ins
    np.multiply(dy, y, out=dx)
    inner = dx.sum(1, keepdims=True)
    np.subtract(dy, inner, out=dx)
    dx *= y


@log_softmax_backward.kernel(
    "ufunc", backend="numpy", cost=streaming(log_softmax_backward, "numpy", 5.0)
)
def run_log_softmax_backward(outs, ins, problem, work):
    """dx = dy - exp(y) (sum of dy)."""
    (dx,), (dy, y) = outs, ins
    np.exp(y, out=dx)
    dx *= dy.sum(1, keepdims=True)
    np.subtract(dy, dx, out=dx)
