"""shifted: the sum over a window of channels as one shifted addition per channel of the window."""

from collections.abc import Iterator

import numpy as np

from .._cpu_cost import measured
from .op import LrnProblem, lrn, lrn_backward

TARGET = 1 << 18  # bytes worked on at once, so that the temporaries stay in the cache


def _blocks(problem: LrnProblem) -> Iterator[slice]:
    image = max(1, problem.c * problem.s) * np.dtype(problem.dtype).itemsize
    step = max(1, TARGET // image)
    for start in range(0, problem.n, step):
        yield slice(start, min(start + step, problem.n))


def _window_sum(problem: LrnProblem, values: np.ndarray, before: int, after: int) -> np.ndarray:
    """Sum of (n, C, S) over the channels c - before .. c + after that exist."""
    total = values.copy()
    for shift in range(1, min(before, problem.c - 1) + 1):
        total[:, shift:] += values[:, :-shift]
    for shift in range(1, min(after, problem.c - 1) + 1):
        total[:, :-shift] += values[:, shift:]
    return total


def _reach(problem: LrnProblem) -> tuple[int, int]:
    return problem.size // 2, (problem.size - 1) // 2


def _divisor(problem: LrnProblem, x: np.ndarray) -> np.ndarray:
    d = _window_sum(problem, np.square(x), *_reach(problem))
    d *= problem.alpha
    d += problem.k
    return d


def _power(problem: LrnProblem, d: np.ndarray) -> np.ndarray:
    """d^-beta; the usual 3/4 by two square roots, several times as fast as a power."""
    if problem.beta != 0.75:
        return d**-problem.beta
    root = np.sqrt(d)
    return 1 / (root * np.sqrt(root))


@lrn.kernel("shifted", backend="numpy", rank=40, cost=measured(lrn, 4e-5, 3.5))
def forward(outs, ins, problem, work):
    """y = x * d^-beta, a few images at a time."""
    (y,), (x,) = outs, ins
    for block in _blocks(problem):
        np.multiply(x[block], _power(problem, _divisor(problem, x[block])), out=y[block])


_backward_cost = measured(lrn_backward, 8e-5, 3.8)


@lrn_backward.kernel("shifted", backend="numpy", rank=40, cost=_backward_cost)
def backward(outs, ins, problem, work):
    """The window that hands a channel's pull back is the forward one mirrored."""
    (dx,), (dy, x) = outs, ins
    before, after = _reach(problem)
    for block in _blocks(problem):
        d = _divisor(problem, x[block])
        direct = _power(problem, d) * dy[block]
        pull = _window_sum(problem, direct * x[block] / d, after, before)
        pull *= x[block]
        pull *= 2 * problem.alpha * problem.beta
        np.subtract(direct, pull, out=dx[block])
