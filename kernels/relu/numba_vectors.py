"""vectors: ReLU and its gradient, vector by vector (gpuconv/cpu/pointwise.py)."""

from gpuconv.cpu import Pointwise
from gpuconv.cpu.formula import where

from .._cpu_cost import streaming
from .op import relu, relu_backward

RELU = Pointwise(lambda x: where(x <= 0, 0.0, x), ins=1)
BACKWARD = Pointwise(lambda dy, y: where(y <= 0, 0.0, dy), ins=2)


@relu.kernel(
    "vectors", backend="numba", precisions=("fp32",), records=True, cost=streaming(relu, "numba")
)
def forward(outs, ins, problem, work):
    """y = 0 where x <= 0, else x."""
    RELU(outs, ins)


@relu_backward.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    records=True,
    cost=streaming(relu_backward, "numba"),
)
def backward(outs, ins, problem, work):
    """dx = 0 where y <= 0, else dy."""
    BACKWARD(outs, ins)
