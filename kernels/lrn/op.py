"""lrn (local response normalisation across channels) and its gradient: declarations.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks"
(2012), section 3.3. Input N C S, S the elements of a plane. y_c = x_c / d_c^beta, where
d_c = k + alpha * (sum of x^2 over the channels c - size // 2 .. c + (size - 1) // 2 that exist).
The gradient computes d again: it is cheaper than keeping it.

Scales. d is a sum of positive terms, right to a few eps. So d^-beta is right to beta times that,
plus beta |ln d| eps where a power is exp(-beta ln d): both are eps (1 + beta) (1 + |ln d|) at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class LrnProblem(Problem):
    """N C S, channels ``size`` of a window; ``alpha`` multiplies the plain sum of squares."""

    formatted = ("x", "y")

    n: int
    c: int
    s: int
    size: int
    alpha: float
    beta: float = 0.75
    k: float = 1.0

    def shapes(self) -> dict[str, Shape]:
        """x and y are (N, C, S)."""
        return dict.fromkeys(("x", "y"), (self.n, self.c, self.s))

    def window(self, c: int) -> range:
        """The channels that normalise channel ``c``."""
        return range(max(0, c - self.size // 2), min(self.c, c + (self.size - 1) // 2 + 1))


def _divisor(problem: LrnProblem, x: np.ndarray) -> np.ndarray:
    d = np.full(x.shape, problem.k)
    for n, c, s in np.ndindex(x.shape):
        for near in problem.window(c):
            d[n, c, s] += problem.alpha * x[n, near, s] ** 2
    return d


def reference(problem: LrnProblem, x: np.ndarray) -> np.ndarray:
    """y = x d^-beta."""
    return x * _divisor(problem, x) ** -problem.beta


def reference_backward(problem: LrnProblem, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dx_i = dy_i d_i^-beta - 2 alpha beta x_i sum of dy_c x_c d_c^(-beta - 1), i in c's window."""
    d, power = _divisor(problem, x), -problem.beta
    dx = dy * d**power
    for n, c, s in np.ndindex(x.shape):
        pull = dy[n, c, s] * x[n, c, s] * d[n, c, s] ** (power - 1)
        for near in problem.window(c):
            dx[n, near, s] += 2 * problem.alpha * power * x[n, near, s] * pull
    return dx


def _growth(problem: LrnProblem, d: np.ndarray) -> np.ndarray:
    return (1 + problem.beta) * (1 + np.abs(np.log(d)))


def _scale(problem: LrnProblem, y: tuple, x: np.ndarray) -> np.ndarray:
    """|y| times what the power's error is."""
    return np.abs(y[0]) * _growth(problem, _divisor(problem, x))


def _scale_backward(problem: LrnProblem, dx: tuple, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Both terms of every sum taken positive, each times what its power's error is."""
    d = _divisor(problem, x)
    grown = np.abs(dy) * _growth(problem, d)
    scale = grown * d**-problem.beta
    for c in range(problem.c):
        pull = grown[:, c] * np.abs(x[:, c]) * d[:, c] ** (-problem.beta - 1)
        for near in problem.window(c):
            scale[:, near] += 2 * problem.alpha * problem.beta * np.abs(x[:, near]) * pull
    return scale


def cases() -> Iterator[LrnProblem]:
    """Odd and even windows, wider than the channels, one channel, strong alpha, empty batch."""
    yield LrnProblem(2, 7, 12, 5, 2e-5, 0.75, 2.0)
    yield LrnProblem(2, 6, 9, 4, 0.25)
    yield LrnProblem(1, 5, 7, 2, 1.0, 0.6, 0.5)
    yield LrnProblem(1, 3, 5, 9, 0.1, 1.0)
    yield LrnProblem(3, 1, 5, 3, 0.5, 0.75, 0.01)
    yield LrnProblem(1, 4, 1, 1, 2.0, 0.5)
    yield LrnProblem(0, 3, 4, 5, 1e-4)


def _draw(problem: LrnProblem, name: str, stream: Stream) -> np.ndarray | None:
    """x: zeros and values up to some 1e3 among ordinary ones."""
    if name != "x":
        return None
    values = stream.normal(problem.spec("x")[0])
    values.reshape(-1)[::11] = 0
    values.reshape(-1)[5::17] *= 500
    return values


lrn = Op(
    "lrn",
    LrnProblem,
    ins=("x",),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=_scale,
    flops=lambda problem: problem.n * problem.c * problem.s * (problem.size + 4),
    draw=_draw,
)
lrn_backward = Op(
    "lrn_backward",
    LrnProblem,
    ins=("dy", "x"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=_scale_backward,
    flops=lambda problem: problem.n * problem.c * problem.s * (2 * problem.size + 11),
    draw=_draw,
)
