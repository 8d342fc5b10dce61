"""adaptive_avg_pool2d and its gradient: declarations.

Output i of P along an axis of H elements is the mean of floor(i H / P) .. ceil((i + 1) H / P) - 1
(PyTorch's bins, aten/src/ATen/native/AdaptivePooling.h); bins overlap where P does not divide H.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import LINEAR, Op
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class AdaptivePool2dProblem(Problem):
    """Input N C H W, output N C P Q."""

    formatted = ("x", "y")

    n: int
    c: int
    h: int
    w: int
    p: int
    q: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x and y."""
        return {"x": (self.n, self.c, self.h, self.w), "y": (self.n, self.c, self.p, self.q)}


def bin_of(i: int, size: int, bins: int) -> range:
    """The elements of bin ``i``."""
    return range(i * size // bins, -(-(i + 1) * size // bins))


def _shares(problem: AdaptivePool2dProblem) -> Iterator[tuple]:
    """Every (output, input, 1 / size of the bin) that meet."""
    for n, c, p, q in np.ndindex(problem.n, problem.c, problem.p, problem.q):
        rows, cols = bin_of(p, problem.h, problem.p), bin_of(q, problem.w, problem.q)
        for row in rows:
            for col in cols:
                yield (n, c, p, q), (n, c, row, col), 1 / (len(rows) * len(cols))


def reference(problem: AdaptivePool2dProblem, x: np.ndarray) -> np.ndarray:
    """y = mean of the bin."""
    y = np.zeros(problem.spec("y")[0])
    for out, i, share in _shares(problem):
        y[out] += x[i] * share
    return y


def reference_backward(problem: AdaptivePool2dProblem, dy: np.ndarray) -> np.ndarray:
    """dx = the sum of dy / size over the bins that hold the element."""
    dx = np.zeros(problem.spec("x")[0])
    for out, i, share in _shares(problem):
        dx[i] += dy[out] * share
    return dx


def _flops(problem: AdaptivePool2dProblem) -> int:
    rows = sum(len(bin_of(i, problem.h, problem.p)) for i in range(problem.p))
    cols = sum(len(bin_of(i, problem.w, problem.q)) for i in range(problem.q))
    return problem.n * problem.c * rows * cols


def cases() -> Iterator[AdaptivePool2dProblem]:
    """Bins that divide, overlap, repeat elements, are the whole plane or single elements."""
    yield AdaptivePool2dProblem(2, 3, 8, 6, 4, 3)
    yield AdaptivePool2dProblem(2, 3, 7, 9, 3, 4)
    yield AdaptivePool2dProblem(1, 2, 3, 2, 7, 5)
    yield AdaptivePool2dProblem(2, 5, 7, 5, 1, 1)
    yield AdaptivePool2dProblem(1, 4, 6, 6, 6, 6)
    yield AdaptivePool2dProblem(3, 1, 1, 13, 1, 5)
    yield AdaptivePool2dProblem(1, 1, 1, 1, 1, 1)
    yield AdaptivePool2dProblem(0, 3, 7, 7, 2, 3)


adaptive_avg_pool2d = Op(
    "adaptive_avg_pool2d",
    AdaptivePool2dProblem,
    ins=("x",),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
adaptive_avg_pool2d_backward = Op(
    "adaptive_avg_pool2d_backward",
    AdaptivePool2dProblem,
    ins=("dy",),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
