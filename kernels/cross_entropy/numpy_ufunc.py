"""ufunc: whole-array NumPy, the maximum subtracted before any exponential."""

import numpy as np

from .._cpu_cost import streaming
from .op import CrossEntropyProblem, cross_entropy, cross_entropy_backward


def _rows(problem: CrossEntropyProblem, x: np.ndarray, target: np.ndarray) -> tuple:
    """Logits less their maximum (N, K, positions), and the targets as (N, 1, positions)."""
    n, k = problem.shape[:2]
    rows = x.reshape(n, k, -1)
    return rows - rows.max(1, keepdims=True), target.reshape(n, 1, -1)


@cross_entropy.kernel("ufunc", backend="numpy", cost=streaming(cross_entropy, "numpy", 8.0))
def forward(outs, ins, problem, work):
    """Mean of log sum exp - (1 - s) x[target] - s mean(x), all less the maximum."""
    (loss,), (x, target) = outs, ins
    rows, target = _rows(problem, x, target)
    smooth = problem.label_smoothing
    value = np.log(np.exp(rows).sum(1, keepdims=True))
    value -= (1 - smooth) * np.take_along_axis(rows, target, 1)
    if smooth:
        value -= smooth * rows.mean(1, keepdims=True)
    loss[...] = value.mean()


@cross_entropy_backward.kernel(
    "ufunc", backend="numpy", cost=streaming(cross_entropy_backward, "numpy", 10.0)
)
def backward(outs, ins, problem, work):
    """dx = dloss / positions (softmax - q)."""
    (dx,), (dloss, x, target) = outs, ins
    rows, target = _rows(problem, x, target)
    smooth, slope = problem.label_smoothing, dx.reshape(rows.shape)
    np.exp(rows, out=slope)
    slope /= slope.sum(1, keepdims=True)
    if smooth:
        slope -= smooth / problem.shape[1]
    wanted = np.take_along_axis(slope, target, 1) - (1 - smooth)
    np.put_along_axis(slope, target, wanted, 1)
    slope *= dloss / problem.positions
