"""affine: one reading of x, by the loops of batch_norm's kernel.

Takes: float32, every shape.
"""

from typing import Any

import numpy as np

from .._cpu_cost import measured
from ..batch_norm.numba_one_pass import DECLARED, normalise, scale
from ..batch_norm.op import BatchNormProblem
from .op import batch_norm_inference, batch_norm_inference_backward


def _invstd(problem: BatchNormProblem, var: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(var + problem.epsilon)


def _cut(x: np.ndarray) -> Any:
    from .._numba_channels import channels_of

    return channels_of(x.shape, x.ndim == 4)


_cost = measured(batch_norm_inference, 5e-5, 0.5)
_backward_cost = measured(batch_norm_inference_backward, 1e-4, 0.8)


@batch_norm_inference.kernel("affine", cost=_cost, **DECLARED)
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    (y,), (x, weight, bias, mean, var) = outs, ins
    normalise(_cut(x), y, x, mean, scale(_invstd(problem, var), weight), bias)


@batch_norm_inference_backward.kernel("affine", cost=_backward_cost, **DECLARED)
def backward(outs, ins, problem, work):
    """dx = dy * (invstd * weight), and the two sums."""
    from .. import _numba_channels as tasks

    (dx, dweight, dbias), (dy, x, weight, mean, var) = outs, ins
    invstd, cut = _invstd(problem, var), _cut(x)
    (center,) = cut.spread(mean)
    total, product = cut.add(tasks.products, problem.c, 2, dy=dy, x=x, mean=center)
    dbias[...], dweight[...] = total, product * invstd
    normalise(cut, dx, dy, np.zeros_like(mean), scale(invstd, weight), None)
