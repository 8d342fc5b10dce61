"""ufunc: whole-array NumPy; the two branches as min(x, 0) and max(x, 0), of which one is 0."""

import numpy as np

from .._cpu_cost import streaming
from .._numpy import branch
from .op import (
    elu,
    elu_backward,
    leaky_relu,
    leaky_relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)


@leaky_relu.kernel("ufunc", backend="numpy", cost=streaming(leaky_relu, "numpy", 4.0))
def run_leaky_relu(outs, ins, problem, work):
    """y = negative_slope * min(x, 0) + max(x, 0)."""
    (y,), (x,) = outs, ins
    np.minimum(x, 0, out=y)
    with np.errstate(invalid="ignore"):
        y *= problem.negative_slope
    y += np.maximum(x, 0)


@leaky_relu_backward.kernel(
    "ufunc", backend="numpy", cost=streaming(leaky_relu_backward, "numpy", 5.0)
)
def run_leaky_relu_backward(outs, ins, problem, work):
    """dx = dy * (negative_slope where x <= 0, else 1)."""
    (dx,), (dy, x) = outs, ins
    branch(dx, x, problem.negative_slope)
    with np.errstate(invalid="ignore"):
        dx *= dy


@elu.kernel("ufunc", backend="numpy", cost=streaming(elu, "numpy", 8.0))
def run_elu(outs, ins, problem, work):
    """y = alpha * scale * expm1(min(x, 0)) + scale * max(x, 0)."""
    (y,), (x,) = outs, ins
    np.minimum(x, 0, out=y)
    np.expm1(y, out=y)
    y *= problem.depth
    with np.errstate(invalid="ignore"):
        y += np.maximum(x, 0) * problem.scale


@elu_backward.kernel("ufunc", backend="numpy", cost=streaming(elu_backward, "numpy", 6.0))
def run_elu_backward(outs, ins, problem, work):
    """dx = dy * (alpha * scale * exp(x) where x <= 0, else scale)."""
    (dx,), (dy, x) = outs, ins
    np.exp(np.minimum(x, 0), out=dx)
    dx *= problem.depth
    np.copyto(dx, problem.scale, where=~(x <= 0))
    with np.errstate(invalid="ignore"):
        dx *= dy


@sigmoid.kernel("ufunc", backend="numpy", cost=streaming(sigmoid, "numpy", 8.0))
def run_sigmoid(outs, ins, problem, work):
    """y = e^min(x, 0) / (1 + e^-|x|): no exponent is positive, so that nothing overflows."""
    (y,), (x,) = outs, ins
    np.exp(np.minimum(x, 0), out=y)
    below = np.negative(np.abs(x))
    y /= 1 + np.exp(below)


@sigmoid_backward.kernel("ufunc", backend="numpy", cost=streaming(sigmoid_backward, "numpy", 3.0))
def run_sigmoid_backward(outs, ins, problem, work):
    """dx = (1 - y) * y * dy."""
    (dx,), (dy, y) = outs, ins
    np.subtract(1, y, out=dx)
    dx *= y
    dx *= dy


@tanh.kernel("ufunc", backend="numpy", cost=streaming(tanh, "numpy", 6.0))
def run_tanh(outs, ins, problem, work):
    """y = scale * tanh(slope * x)."""
    (y,), (x,) = outs, ins
    np.multiply(x, problem.slope, out=y)
    np.tanh(y, out=y)
    y *= problem.scale


@tanh_backward.kernel("ufunc", backend="numpy", cost=streaming(tanh_backward, "numpy", 5.0))
def run_tanh_backward(outs, ins, problem, work):
    """dx = (1 - (y / scale)^2) * (scale * slope) * dy."""
    (dx,), (dy, y) = outs, ins
    np.divide(y, problem.scale, out=dx)
    np.square(dx, out=dx)
    np.subtract(1, dx, out=dx)
    dx *= problem.scale * problem.slope
    dx *= dy
