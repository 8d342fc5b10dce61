"""ufunc: whole-array NumPy; the sum is taken in float64."""

import numpy as np

from .._cpu_cost import streaming
from .op import mse, mse_backward


@mse.kernel("ufunc", backend="numpy", cost=streaming(mse, "numpy", 4.0))
def forward(outs, ins, problem, work):
    """loss = mean of (x - target)^2."""
    (loss,), (x, target) = outs, ins
    with np.errstate(invalid="ignore", over="ignore"):
        square = np.asarray(x - target)
        np.square(square, out=square)
        loss[...] = square.sum(dtype=np.float64) / problem.size


@mse_backward.kernel("ufunc", backend="numpy", cost=streaming(mse_backward, "numpy", 2.5))
def backward(outs, ins, problem, work):
    """dx = (x - target) * (2 dloss / size)."""
    (dx,), (dloss, x, target) = outs, ins
    with np.errstate(invalid="ignore"):
        np.subtract(x, target, out=dx)
        dx *= 2.0 * float(dloss) / problem.size
