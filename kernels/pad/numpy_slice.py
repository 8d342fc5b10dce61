"""slice: fill, then one copy between the array and the inside of the padded one."""

import numpy as np

from .._cpu_cost import streaming
from .op import pad, pad_backward


@pad.kernel("slice", backend="numpy", cost=streaming(pad, "numpy"))
def forward(outs, ins, problem, work):
    """y = value, then y[inside] = x."""
    (y,), (x,) = outs, ins
    y.fill(problem.value)
    y[problem.inside] = x


@pad_backward.kernel("slice", backend="numpy", cost=streaming(pad_backward, "numpy"))
def backward(outs, ins, problem, work):
    """dx = dy[inside]."""
    (dx,), (dy,) = outs, ins
    np.copyto(dx, dy[problem.inside])
