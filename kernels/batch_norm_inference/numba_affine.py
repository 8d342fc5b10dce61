"""affine: one reading of x, by the loops of batch_norm's kernel.

Takes: float32, every shape.
"""

from typing import Any

import numpy as np

from gpuconv.cpu import host

from .._cpu_cost import measured
from ..batch_norm.numba_one_pass import DECLARED
from ..batch_norm.op import BatchNormProblem
from .op import batch_norm_inference, batch_norm_inference_backward


def _table(
    cut: Any, problem: BatchNormProblem, mean: Any, weight: Any, bias: Any, var: Any
) -> np.ndarray:
    """Mean, scale and bias of every channel, as tasks read them; None counts for nothing."""
    table = cut.table()

    def fill() -> None:
        invstd = 1 / np.sqrt(var + problem.epsilon)
        scale = invstd if weight is None else invstd * weight
        nothing = np.zeros_like(var)
        for row, given in zip(table, (mean, scale, bias), strict=True):
            cut.spread(row, nothing if given is None else given)

    host(fill)
    return table


def _cut(x: np.ndarray) -> Any:
    from .._numba_channels import channels_of

    return channels_of(x.shape, x.ndim == 4)


def _normalise(cut: Any, y: np.ndarray, x: np.ndarray, table: np.ndarray) -> None:
    from .._numba_channels import affine

    cut.map(affine, x=x, y=y, mean=table[0], scale=table[1], bias=table[2])


_cost = measured(batch_norm_inference, 5e-5, 0.5)
_backward_cost = measured(batch_norm_inference_backward, 1e-4, 0.8)


@batch_norm_inference.kernel("affine", cost=_cost, **DECLARED)
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    (y,), (x, weight, bias, mean, var) = outs, ins
    cut = _cut(x)
    _normalise(cut, y, x, _table(cut, problem, mean, weight, bias, var))


@batch_norm_inference_backward.kernel("affine", cost=_backward_cost, **DECLARED)
def backward(outs, ins, problem, work):
    """dx = dy * (invstd * weight), and the two sums."""
    from .. import _numba_channels as tasks

    (dx, dweight, dbias), (dy, x, weight, mean, var) = outs, ins
    cut, center = _cut(x), _cut(x).table(1)[0]
    host(cut.spread, center, mean)
    sums = cut.sums(tasks.products, 2, dy=dy, x=x, mean=center)

    def finish() -> None:
        dbias[...], product = cut.total(sums, problem.c)
        dweight[...] = product / np.sqrt(var + problem.epsilon)

    host(finish)
    _normalise(cut, dx, dy, _table(cut, problem, None, weight, None, var))
