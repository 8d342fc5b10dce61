"""vectors: squares are summed as they come (gpuconv/cpu/rows.py); the gradient in one pass."""

from gpuconv.cpu import Pointwise, Total

from .._cpu_cost import streaming
from .op import mse, mse_backward

SQUARES = Total(lambda x, target: (x - target) * (x - target), ins=2)
BACKWARD = Pointwise(lambda x, target, gain: (x - target) * gain, ins=2, scalars=1)


@mse.kernel("vectors", backend="numba", precisions=("fp32",), cost=streaming(mse, "numba"))
def forward(outs, ins, problem, work):
    """loss = mean of (x - target)^2."""
    (loss,) = outs
    loss[...] = SQUARES(*ins) / problem.size


@mse_backward.kernel(
    "vectors", backend="numba", precisions=("fp32",), cost=streaming(mse_backward, "numba")
)
def backward(outs, ins, problem, work):
    """dx = (x - target) * (2 dloss / size)."""
    dloss, *arrays = ins
    BACKWARD(outs, arrays, 2.0 * float(dloss) / problem.size)
