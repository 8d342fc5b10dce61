"""affine: centre, then one multiplication by weight * invstd; exact where mean >> deviation."""

import numpy as np

from .._cpu_cost import measured
from ..batch_norm.op import BatchNormProblem
from .op import batch_norm_inference, batch_norm_inference_backward


def _invstd(problem: BatchNormProblem, var: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(var + problem.epsilon)


def _scale(invstd: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    return (invstd if weight is None else invstd * weight)[:, None]


_cost = measured(batch_norm_inference, 1.5e-5, 1.2)
_backward_cost = measured(batch_norm_inference_backward, 3e-5, 1.6)


@batch_norm_inference.kernel("affine", backend="numpy", rank=40, cost=_cost)
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    (y,), (x, weight, bias, mean, var) = outs, ins
    np.subtract(x, mean[:, None], out=y)
    y *= _scale(_invstd(problem, var), weight)
    if bias is not None:
        y += bias[:, None]


@batch_norm_inference_backward.kernel("affine", backend="numpy", rank=40, cost=_backward_cost)
def backward(outs, ins, problem, work):
    """dx holds dy * (x - mean) until dweight is summed."""
    (dx, dweight, dbias), (dy, x, weight, mean, var) = outs, ins
    invstd = _invstd(problem, var)
    np.subtract(x, mean[:, None], out=dx)
    dx *= dy
    np.multiply(dx.sum(2).sum(0), invstd, out=dweight)
    dbias[...] = dy.sum(2).sum(0)
    np.multiply(dy, _scale(invstd, weight), out=dx)
