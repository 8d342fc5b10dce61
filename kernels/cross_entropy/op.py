"""cross_entropy and cross_entropy_backward: declarations."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class CrossEntropyProblem(Problem):
    """Logits of ``shape`` (N, K) or (N, K, H, W); targets (N) or (N, H, W)."""

    shape: Shape
    label_smoothing: float = 0.0

    @property
    def positions(self) -> int:
        """How many labels there are."""
        return self.shape[0] * prod(self.shape[2:])

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, target, loss and dloss."""
        target = self.shape[:1] + self.shape[2:]
        return {"x": self.shape, "target": target, "loss": ()}

    def dtypes(self) -> dict[str, str]:
        """Targets are class numbers."""
        return {"target": "int64"}


def _positions(problem: CrossEntropyProblem, x: np.ndarray, target: np.ndarray) -> Iterator[tuple]:
    """Index, logits, log of their summed exponentials, and the smoothed one-hot target."""
    classes, smooth = problem.shape[1], problem.label_smoothing
    for at in np.ndindex(target.shape):
        index = (at[0], slice(None), *at[1:])
        row, wanted = x[index], np.full(classes, smooth / classes)
        wanted[target[at]] += 1.0 - smooth
        log_sum = row.max() + np.log(sum(np.exp(value - row.max()) for value in row))
        yield index, row, log_sum, wanted


def reference(problem: CrossEntropyProblem, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean of log sum exp(x) - sum of q * x, q = (1 - s) onehot + s / K.

    Label smoothing: Szegedy et al., "Rethinking the Inception architecture" (2016), section 7.
    """
    total = 0.0
    for _, row, log_sum, wanted in _positions(problem, x, target):
        total += log_sum - sum(q * value for q, value in zip(wanted, row, strict=True))
    return np.asarray(total / problem.positions)


def reference_backward(
    problem: CrossEntropyProblem, dloss: np.ndarray, x: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """dx = dloss (softmax(x) - q) / positions."""
    dx = np.zeros(problem.shape)
    for index, row, log_sum, wanted in _positions(problem, x, target):
        dx[index] = dloss * (np.exp(row - log_sum) - wanted) / problem.positions
    return dx


def scale(problem: CrossEntropyProblem, outs: tuple, x: np.ndarray, target: np.ndarray) -> float:
    """Mean over positions of |max| + |x - max| of the terms + log sum + q |x|.

    x - max is rounded relative to |x| + |max|, which exp and log pass on to the sum weighted by
    the softmax; the final difference is rounded relative to its two terms.
    """
    total = 0.0
    for _, row, log_sum, wanted in _positions(problem, x, target):
        softmax = np.exp(row - log_sum)
        total += 1 + abs(row.max()) + abs(log_sum) + (wanted * np.abs(row)).sum()
        total += (softmax * np.abs(row - row.max())).sum()
    return total / problem.positions


def scale_backward(
    problem: CrossEntropyProblem,
    outs: tuple,
    dloss: np.ndarray,
    x: np.ndarray,
    target: np.ndarray,
) -> np.ndarray:
    """|dloss| / positions (p (2 + |x - max| + sum of p |x - max|) + q).

    p = exp(x - max) / sum: the exponent's rounding error |x - max| eps is p's relative error, the
    sum carries the mean of them, and the two roundings of exp and of the quotient add 2.
    """
    bound = np.zeros(problem.shape)
    for index, row, log_sum, wanted in _positions(problem, x, target):
        p, away = np.exp(row - log_sum), np.abs(row - row.max())
        bound[index] = p * (2 + away + (p * away).sum()) + wanted
    return bound * abs(dloss) / problem.positions


def cases() -> Iterator[CrossEntropyProblem]:
    """Rows and images, one class, label smoothing."""
    for shape in ((3, 10), (1, 1), (5, 3), (2, 7, 3, 2), (4, 130)):
        yield CrossEntropyProblem(shape)
        yield CrossEntropyProblem(shape, label_smoothing=0.1)


def draw(problem: CrossEntropyProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Labels in range; logits with outliers of 1000; a loss gradient of either sign."""
    if name == "target":
        return stream.uniform(problem.spec(name)[0], 0, problem.shape[1]).astype(np.int64)
    if name == "dloss":
        return np.asarray(-1.75)
    values = 3 * stream.normal(problem.shape)
    values.reshape(-1)[::11] *= 300
    return values


cross_entropy = Op(
    "cross_entropy",
    CrossEntropyProblem,
    ins=("x", "target"),
    outs=("loss",),
    reference=reference,
    cases=cases,
    scale=scale,
    draw=draw,
)
cross_entropy_backward = Op(
    "cross_entropy_backward",
    CrossEntropyProblem,
    ins=("dloss", "x", "target"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=scale_backward,
    draw=draw,
)
