"""batch_norm_inference and its gradient (a frozen layer's): declarations.

y = (x - running_mean) / sqrt(running_var + epsilon) * weight + bias: an affine function of x.
Letters, missing weights and scales as in the family batch_norm; here the mean is exact.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpuconv.registry import Op

from ..batch_norm.op import BatchNormProblem, draw


def _normalised(
    problem: BatchNormProblem, x: np.ndarray, mean: np.ndarray, var: np.ndarray
) -> np.ndarray:
    """xhat, channel by channel."""
    xhat = np.zeros(x.shape)
    for c in range(problem.c):
        xhat[:, c] = (x[:, c] - mean[c]) / np.sqrt(var[c] + problem.epsilon)
    return xhat


def reference(
    problem: BatchNormProblem,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
) -> np.ndarray:
    """y = xhat * weight + bias."""
    y = _normalised(problem, x, mean, var)
    for c in range(problem.c):
        y[:, c] = y[:, c] * (1 if weight is None else weight[c]) + (0 if bias is None else bias[c])
    return y


def reference_backward(
    problem: BatchNormProblem,
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    var: np.ndarray,
) -> tuple:
    """dx = dy weight invstd, dweight = sum dy xhat, dbias = sum dy."""
    xhat = _normalised(problem, x, mean, var)
    dx, dweight, dbias = np.zeros(x.shape), np.zeros(problem.c), np.zeros(problem.c)
    for n, c, s in np.ndindex(x.shape):
        w = 1 if weight is None else weight[c]
        dx[n, c, s] = dy[n, c, s] * w / np.sqrt(var[c] + problem.epsilon)
        dweight[c] += dy[n, c, s] * xhat[n, c, s]
        dbias[c] += dy[n, c, s]
    return dx, dweight, dbias


def _size(problem: BatchNormProblem, x: Any, mean: Any, var: Any) -> np.ndarray:
    """What the rounding errors of xhat are measured against: invstd (|x| + |mean|)."""
    return _normalised(problem, np.abs(x), -np.abs(mean), var)


def _scale(
    problem: BatchNormProblem, outs: tuple, x: Any, weight: Any, bias: Any, mean: Any, var: Any
) -> np.ndarray:
    """The reference on |values| and -|mean|: d and its products, then the bias."""
    w, b = (None if a is None else np.abs(a) for a in (weight, bias))
    return reference(problem, np.abs(x), w, b, -np.abs(mean), var)


def _scale_backward(
    problem: BatchNormProblem, outs: tuple, dy: Any, x: Any, weight: Any, mean: Any, var: Any
) -> tuple:
    """dx: itself, a product. dweight: sum |dy| invstd (|x| + |mean|). dbias: sum |dy|."""
    slope = np.abs(dy)
    dweight = (slope * _size(problem, x, mean, var)).sum((0, 2))
    return np.abs(outs[0]), dweight, slope.sum((0, 2))


def cases() -> Iterator[BatchNormProblem]:
    """Planes and matrices, a single value, another epsilon, an empty batch."""
    yield BatchNormProblem(3, 4, 35)
    yield BatchNormProblem(2, 5, 49, 1e-3)
    yield BatchNormProblem(17, 3, 1)
    yield BatchNormProblem(1, 1, 1, 1e-2)
    yield BatchNormProblem(0, 3, 4)


batch_norm_inference = Op(
    "batch_norm_inference",
    BatchNormProblem,
    ins=("x", "weight?", "bias?", "running_mean", "running_var"),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=_scale,
    flops=lambda problem: 2 * problem.n * problem.c * problem.s,
    draw=draw,
)
batch_norm_inference_backward = Op(
    "batch_norm_inference_backward",
    BatchNormProblem,
    ins=("dy", "x", "weight?", "running_mean", "running_var"),
    outs=("dx", "dweight", "dbias"),
    reference=reference_backward,
    cases=cases,
    scale=_scale_backward,
    flops=lambda problem: 5 * problem.n * problem.c * problem.s,
    draw=draw,
)
