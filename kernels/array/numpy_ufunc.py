"""ufunc: NumPy's own loops."""

import numpy as np

from .._cpu_cost import measured, streaming
from .op import accumulate, add, channel_sum, copy, zeros


@add.kernel("ufunc", backend="numpy", cost=streaming(add, "numpy", 1.2))
def run_add(outs, ins, problem, work):
    """y = a + b."""
    np.add(ins[0], ins[1], out=outs[0])


@accumulate.kernel("ufunc", backend="numpy", cost=streaming(accumulate, "numpy", 1.8))
def run_accumulate(outs, ins, problem, work):
    """total += x."""
    np.add(outs[0], ins[0], out=outs[0])


@copy.kernel("ufunc", backend="numpy", cost=streaming(copy, "numpy"))
def run_copy(outs, ins, problem, work):
    """y = x."""
    np.copyto(outs[0], ins[0])


@zeros.kernel("ufunc", backend="numpy", cost=streaming(zeros, "numpy"))
def run_zeros(outs, ins, problem, work):
    """y = 0."""
    outs[0].fill(0)


@channel_sum.kernel("ufunc", backend="numpy", cost=measured(channel_sum, 3e-6, 1.2))
def run_channel_sum(outs, ins, problem, work):
    """Rows of a channel first (NumPy sums them pairwise), then the batch in order."""
    (y,), (x,) = outs, ins
    np.sum(x.sum(tuple(range(2, x.ndim))), axis=0, out=y)
