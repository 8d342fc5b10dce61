"""ufunc: whole-array NumPy; no exponent is positive; the sum is taken in float64."""

import numpy as np

from .._cpu_cost import streaming
from .op import bce_with_logits, bce_with_logits_backward


@bce_with_logits.kernel("ufunc", backend="numpy", cost=streaming(bce_with_logits, "numpy", 15.0))
def forward(outs, ins, problem, work):
    """loss = mean of max(x, 0) - x t + log1p(exp(-|x|))."""
    (loss,), (x, target) = outs, ins
    terms = np.asarray(np.log1p(_decay(x)))
    with np.errstate(invalid="ignore"):
        terms += np.maximum(x, 0)
        terms -= x * target
    loss[...] = terms.sum(dtype=np.float64) / problem.size


@bce_with_logits_backward.kernel(
    "ufunc", backend="numpy", cost=streaming(bce_with_logits_backward, "numpy", 12.0)
)
def backward(outs, ins, problem, work):
    """dx = (sigmoid(x) - t) * (dloss / size)."""
    (dx,), (dloss, x, target) = outs, ins
    np.exp(np.minimum(x, 0), out=dx)
    dx /= 1 + _decay(x)
    dx -= target
    dx *= float(dloss) / problem.size


def _decay(x: np.ndarray) -> np.ndarray:
    """e^-|x|."""
    return np.exp(np.negative(np.abs(x)))
