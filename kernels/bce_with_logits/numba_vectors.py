"""vectors: terms are summed as they come (gpuconv/cpu/rows.py); no exponent is positive."""

from gpuconv.cpu import Pointwise, Total
from gpuconv.cpu.formula import decay, log1p, sigmoid, where

from .._cpu_cost import streaming
from .op import bce_with_logits, bce_with_logits_backward


def _term(x, target):
    return where(x <= 0, 0.0, x) - x * target + log1p(decay(-abs(x)))


TERMS = Total(_term, ins=2)
BACKWARD = Pointwise(lambda x, target, gain: (sigmoid(x) - target) * gain, ins=2, scalars=1)


@bce_with_logits.kernel(
    "vectors", backend="numba", precisions=("fp32",), cost=streaming(bce_with_logits, "numba", 2.0)
)
def forward(outs, ins, problem, work):
    """loss = mean of max(x, 0) - x t + log1p(exp(-|x|))."""
    (loss,) = outs
    loss[...] = TERMS(*ins) / problem.size


@bce_with_logits_backward.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    cost=streaming(bce_with_logits_backward, "numba", 1.5),
)
def backward(outs, ins, problem, work):
    """dx = (sigmoid(x) - t) * (dloss / size)."""
    dloss, *arrays = ins
    BACKWARD(outs, arrays, float(dloss) / problem.size)
