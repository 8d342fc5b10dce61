"""vectors: every element moved into its interval, in one pass.

The norm stays with NumPy, which sums squares in float64: in float32 they overflow beyond 1e19.
"""

from gpuconv.cpu import Pointwise
from gpuconv.cpu.formula import where

from .._cpu_cost import streaming
from .op import clip_grad_value

CLIP = Pointwise(lambda g, top: where(g > top, top, where(g < -top, -top, g)), ins=1, scalars=1)


@clip_grad_value.kernel(
    "vectors", backend="numba", precisions=("fp32",), cost=streaming(clip_grad_value, "numba")
)
def run(outs, ins, problem, work):
    """Every element moved into [-limit, limit]; NaN stays."""
    (limit,) = ins
    CLIP(outs, outs, float(limit))
