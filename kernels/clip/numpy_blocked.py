"""blocked: squares are summed in float64, pairwise in a block, then block after block."""

import numpy as np

from .._cpu_cost import streaming
from .._numpy import blocks
from .op import GUARD, clip_grad_norm, clip_grad_value


@clip_grad_norm.kernel("blocked", backend="numpy", cost=streaming(clip_grad_norm, "numpy", 2.0))
def run_norm(outs, ins, problem, work):
    """The norm before; the gradient times min(1, max_norm / (norm + guard)); NaN is handed on."""
    (norm, gradient), (max_norm,) = outs, ins
    total = np.float64(0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        for block in blocks(problem.size):
            total += np.square(gradient[block], dtype=np.float64).sum()
        before = np.sqrt(total)
        norm[...] = before
        gradient *= float(np.minimum(1.0, max_norm / (before + GUARD)))


@clip_grad_value.kernel("blocked", backend="numpy", cost=streaming(clip_grad_value, "numpy", 1.5))
def run_value(outs, ins, problem, work):
    """Every element moved into [-limit, limit]; np.clip hands NaN on."""
    (gradient,), (limit,) = outs, ins
    np.clip(gradient, -limit, limit, out=gradient)
