"""masked: the gradient is dy with its bits masked out where y <= 0.

A product with the mask would turn a NaN or an infinite dy into NaN at a dead unit, and NumPy's
selection by a boolean array takes ten times as long as this.
"""

import numpy as np

from .._cpu_cost import streaming
from .op import relu, relu_backward


@relu.kernel("masked", backend="numpy", cost=streaming(relu, "numpy", 1.5))
def forward(outs, ins, problem, work):
    """y = max(x, 0); np.maximum hands NaN on."""
    (y,), (x,) = outs, ins
    np.maximum(x, 0, out=y)


@relu_backward.kernel("masked", backend="numpy", cost=streaming(relu_backward, "numpy", 1.5))
def backward(outs, ins, problem, work):
    """dx = dy & (all bits where not (y <= 0), else none)."""
    (dx,), (dy, y) = outs, ins
    bits = np.dtype(f"i{dx.itemsize}")
    mask = np.asarray(y <= 0).astype(bits)
    mask -= 1
    np.bitwise_and(dy.view(bits), mask, out=dx.view(bits))
