"""batch_norm, batch_norm_inference and their gradients: declarations.

Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1 and the gradients of section 3. Input
N C S, S the elements of a plane (1 for an N x C matrix); M = N * S values per channel. Written
below: d = x - mean, xhat = d * invstd, and a missing weight is 1, a missing bias 0.

Scales. Every mean is kept in the problem's dtype, so d is off by up to eps * (|x| + A) with A the
mean of |x|; a variance is off by itself * eps and by the square of the mean's error, (eps * A)^2.
Everything else is a product or a sum of such terms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class BatchNormProblem(Problem):
    """N C S, ``epsilon`` added to the variance, ``momentum`` of the running statistics."""

    formatted = ("x", "y")

    n: int
    c: int
    s: int
    epsilon: float = 1e-5
    momentum: float = 0.1

    def shapes(self) -> dict[str, Shape]:
        """x and y are (N, C, S), everything else is (C,)."""
        per_channel = ("weight", "bias", "mean", "invstd", "running_mean", "running_var")
        whole = (self.n, self.c, self.s)
        return {"x": whole, "y": whole, **dict.fromkeys(per_channel, (self.c,))}


def _channel(problem: BatchNormProblem, *arrays: Any) -> Iterator[tuple]:
    """Every channel number with each array's values there: all of them, one, or None."""
    for c in range(problem.c):
        yield c, *(a if a is None else a[c] if a.ndim == 1 else a[:, c].ravel() for a in arrays)


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and biased variance; 0 and 0 of nothing."""
    count = max(len(values), 1)
    mean = sum(values) / count
    return mean, sum((value - mean) ** 2 for value in values) / count


def reference(
    problem: BatchNormProblem,
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
) -> tuple:
    """y = xhat * weight + bias; running = (1 - momentum) * running + momentum * batch.

    The variance that normalises is biased, the running one is not; nothing runs in no batch.
    """
    y, mean, invstd = np.zeros(x.shape), np.zeros(problem.c), np.zeros(problem.c)
    running = [None if r is None else r.copy() for r in (running_mean, running_var)]
    count, m = problem.n * problem.s, problem.momentum
    for c, values, w, b in _channel(problem, x, weight, bias):
        mean[c], var = _moments(values)
        invstd[c] = 1 / np.sqrt(var + problem.epsilon)
        xhat = (x[:, c] - mean[c]) * invstd[c]
        y[:, c] = xhat * (1 if w is None else w) + (0 if b is None else b)
        for array, batch in zip(running, (mean[c], var * count / max(count - 1, 1)), strict=True):
            if array is not None and count:
                array[c] = (1 - m) * array[c] + m * batch
    return y, mean, invstd, *running


def _scale(
    problem: BatchNormProblem, outs: tuple, x: Any, weight: Any, bias: Any, *running: Any
) -> tuple:
    """y: |w| (invstd (|x| + A) + |xhat| v) + |b| with v = eps (A invstd)^2, the variance's error.

    mean: A. invstd: invstd (1 + v). running_mean: as the reference on |values|. running_var: the
    same of var + eps A^2.
    """
    _, mean, invstd, new_mean, new_var = outs
    count, m = max(problem.n * problem.s, 1), problem.momentum
    size = np.abs(x).sum((0, 2)) / count
    v = problem.eps * (size * invstd) ** 2
    w, b = _affine(problem, weight, bias)
    xhat = np.abs(x - mean[:, None]) * invstd[:, None]
    y = w * ((np.abs(x) + size[:, None]) * invstd[:, None] + xhat * v[:, None]) + b
    if new_mean is not None:
        new_mean = (1 - m) * np.abs(running[0]) + m * size
    if new_var is not None:
        var = 1 / invstd**2 + problem.eps * size**2
        new_var = (1 - m) * np.abs(running[1]) + m * var * count / max(count - 1, 1)
    return y, size, invstd * (1 + v), new_mean, new_var


def _affine(problem: BatchNormProblem, weight: Any, bias: Any = None) -> tuple:
    """|weight| and |bias| as (C, 1), with the values that missing ones have."""
    w = np.ones(problem.c) if weight is None else np.abs(weight)
    b = np.zeros(problem.c) if bias is None else np.abs(bias)
    return w[:, None], b[:, None]


def reference_backward(
    problem: BatchNormProblem,
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    invstd: np.ndarray,
) -> tuple:
    """dbias = sum dy, dweight = sum dy xhat, dx = w invstd (dy - (dbias + xhat dweight) / M)."""
    dx, dweight, dbias = np.zeros(x.shape), np.zeros(problem.c), np.zeros(problem.c)
    count = max(problem.n * problem.s, 1)
    for c, slope, values, w in _channel(problem, dy, x, weight):
        xhat = [(value - mean[c]) * invstd[c] for value in values]
        dbias[c] = sum(slope)
        dweight[c] = sum(d * h for d, h in zip(slope, xhat, strict=True))
        rest = [d - (dbias[c] + h * dweight[c]) / count for d, h in zip(slope, xhat, strict=True)]
        scaled = np.array(rest) * invstd[c] * (1 if w is None else w)
        dx[:, c] = scaled.reshape(problem.n, problem.s)
    return dx, dweight, dbias


def _scale_backward(
    problem: BatchNormProblem, outs: tuple, dy: Any, x: Any, weight: Any, mean: Any, invstd: Any
) -> tuple:
    """The reference on absolute values, xhat as invstd (|x| + |mean|)."""
    w, _ = _affine(problem, weight)
    xhat = (np.abs(x) + np.abs(mean)[:, None]) * invstd[:, None]
    slope, count = np.abs(dy), max(problem.n * problem.s, 1)
    dbias, dweight = slope.sum((0, 2)), (slope * xhat).sum((0, 2))
    dx = w * invstd[:, None] * (slope + (dbias[:, None] + xhat * dweight[:, None]) / count)
    return dx, dweight, dbias


def cases() -> Iterator[BatchNormProblem]:
    """Planes and matrices, few values per channel, one channel, other options, no batch."""
    yield BatchNormProblem(3, 4, 35)
    yield BatchNormProblem(2, 5, 49, 1e-3, 0.4)
    yield BatchNormProblem(17, 3, 1)
    yield BatchNormProblem(2, 3, 1, 1e-2, 1.0)
    yield BatchNormProblem(1, 1, 2)
    yield BatchNormProblem(1, 2, 1)
    yield BatchNormProblem(1, 2, 257, 1e-5, 0.0)
    yield BatchNormProblem(0, 3, 4)


def draw(problem: BatchNormProblem, name: str, stream: Stream) -> np.ndarray | None:
    """x: channel 0 far from zero, channel 1 constant; variances and invstd are positive."""
    values = stream.normal(problem.spec(name)[0])
    if name == "x":
        values[:, 0] += 300
        values[:, 1:2] = 0.75
    return np.abs(values) + 0.1 if name in ("running_var", "invstd") else values


batch_norm = Op(
    "batch_norm",
    BatchNormProblem,
    ins=("x", "weight?", "bias?"),
    outs=("y", "mean", "invstd", "running_mean?", "running_var?"),
    updates=("running_mean?", "running_var?"),
    reference=reference,
    cases=cases,
    scale=_scale,
    flops=lambda problem: 9 * problem.n * problem.c * problem.s,
    draw=draw,
)
batch_norm_backward = Op(
    "batch_norm_backward",
    BatchNormProblem,
    ins=("dy", "x", "weight?", "mean", "invstd"),
    outs=("dx", "dweight", "dbias"),
    reference=reference_backward,
    cases=cases,
    scale=_scale_backward,
    flops=lambda problem: 11 * problem.n * problem.c * problem.s,
    draw=draw,
)
