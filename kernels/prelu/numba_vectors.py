"""vectors: one weight for all elements, in one pass; its gradient's terms are summed as they come.

Takes: float32, one weight. A weight for every channel is another loop.
"""

from gpuconv.cpu import Pointwise, Total
from gpuconv.cpu.formula import where
from gpuconv.device import Device

from .._cpu_cost import streaming
from .op import PreluProblem, prelu, prelu_backward


def _below(dy, x):
    return where(x > 0, 0.0, x) * dy


FORWARD = Pointwise(lambda x, weight: where(x <= 0, x * weight, x), ins=1, scalars=1)
BACKWARD = Pointwise(lambda dy, x, weight: where(x <= 0, dy * weight, dy), ins=2, scalars=1)
SLOPES = Total(_below, ins=2)


def _refuses(problem: PreluProblem, device: Device) -> str | None:
    return None if problem.weights == 1 else "takes one weight for all channels"


@prelu.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    refuses=_refuses,
    cost=streaming(prelu, "numba"),
)
def forward(outs, ins, problem, work):
    """y = x * (weight where x <= 0, else 1)."""
    x, weight = ins
    FORWARD(outs, (x,), float(weight[0]))


@prelu_backward.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    refuses=_refuses,
    cost=streaming(prelu_backward, "numba", 2.0),
)
def backward(outs, ins, problem, work):
    """dx = dy * (weight where x <= 0, else 1); dweight = sum of dy * min(x, 0)."""
    (dx, dweight), (dy, x, weight) = outs, ins
    BACKWARD((dx,), (dy, x), float(weight[0]))
    dweight[...] = SLOPES(dy, x)
