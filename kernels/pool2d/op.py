"""max_pool2d, avg_pool2d and their gradients: declarations.

Letters as in conv2d: input N C H W, window R S, output N C P Q.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import LINEAR, Op
from gpuconv.shapes import Padding, Pair, Shape, pool_size

Index = tuple[int, ...]


@dataclass(frozen=True)
class Pool2dProblem(Problem):
    """Sizes and options of one pooling and of its gradient; ``kernel`` is the window (R, S)."""

    formatted = ("x", "y", "index")

    n: int
    c: int
    h: int
    w: int
    kernel: Pair
    stride: Pair
    padding: Padding = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    ceil_mode: bool = False

    def size(self, axis: int) -> int:
        """Output rows (axis 0) or columns (axis 1)."""
        window = self.kernel[axis], self.stride[axis], self.padding[axis], self.dilation[axis]
        return pool_size((self.h, self.w)[axis], *window, self.ceil_mode)

    @property
    def p(self) -> int:
        """Output rows."""
        return self.size(0)

    @property
    def q(self) -> int:
        """Output columns."""
        return self.size(1)

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, y and index."""
        y = (self.n, self.c, self.p, self.q)
        return {"x": (self.n, self.c, self.h, self.w), "y": y, "index": y}

    def dtypes(self) -> dict[str, str]:
        """The index is flat in the H * W plane."""
        return {"index": "int32"}

    def positions(self, p: int, q: int) -> Iterator[tuple[int, int]]:
        """Rows and columns that window (p, q) meets, in row-major order, outside ones too."""
        for r, s in np.ndindex(*self.kernel):
            row = p * self.stride[0] - self.padding[0][0] + r * self.dilation[0]
            yield row, q * self.stride[1] - self.padding[1][0] + s * self.dilation[1]

    def windows(self) -> Iterator[tuple[Index, list[Index]]]:
        """Every output element and the input elements of its window, in row-major order."""
        for n, c, p, q in np.ndindex(self.n, self.c, self.p, self.q):
            met = self.positions(p, q)
            inside: list[Index] = [
                (n, c, i, j) for i, j in met if 0 <= i < self.h and 0 <= j < self.w
            ]
            yield (n, c, p, q), inside


@dataclass(frozen=True)
class AvgPool2dProblem(Pool2dProblem):
    """``count_include_pad``: padding counts in the divisor."""

    count_include_pad: bool = True

    def divisor(self, p: int, q: int) -> int:
        """Positions that window (p, q) divides by: never those beyond the padding."""
        (top, bottom), (left, right) = self.padding if self.count_include_pad else ((0, 0), (0, 0))
        met = self.positions(p, q)
        return sum(-top <= i < self.h + bottom and -left <= j < self.w + right for i, j in met)


def _flops(problem: Pool2dProblem) -> int:
    return problem.n * problem.c * problem.p * problem.q * problem.kernel[0] * problem.kernel[1]


def reference_max(problem: Pool2dProblem, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y = the first maximum of each window in row-major order, the first NaN if there is one."""
    shape = problem.spec("y")[0]
    y, index = np.zeros(shape), np.zeros(shape, np.int32)
    for out, inside in problem.windows():
        best = inside[0]
        for i in inside[1:]:
            if x[i] > x[best] or (np.isnan(x[i]) and not np.isnan(x[best])):
                best = i
        y[out], index[out] = x[best], best[2] * problem.w + best[3]
    return y, index


def reference_max_backward(problem: Pool2dProblem, dy: np.ndarray, index: np.ndarray) -> np.ndarray:
    """dx = the sum of dy over the windows whose maximum the element was."""
    dx = np.zeros(problem.spec("x")[0])
    for out, inside in problem.windows():
        for i in inside:
            if i[2] * problem.w + i[3] == index[out]:
                dx[i] += dy[out]
    return dx


def reference_avg(problem: AvgPool2dProblem, x: np.ndarray) -> np.ndarray:
    """y = sum of the window's real elements / divisor."""
    y = np.zeros(problem.spec("y")[0])
    for out, inside in problem.windows():
        for i in inside:
            y[out] += x[i] / problem.divisor(*out[2:])
    return y


def reference_avg_backward(problem: AvgPool2dProblem, dy: np.ndarray) -> np.ndarray:
    """dx = the sum of dy / divisor over the windows that hold the element."""
    dx = np.zeros(problem.spec("x")[0])
    for out, inside in problem.windows():
        for i in inside:
            dx[i] += dy[out] / problem.divisor(*out[2:])
    return dx


def shared_cases() -> Iterator[tuple]:
    """Windows without dilation: overlapping, gaps, padding on one side, ceil_mode, large, none."""
    one = ((1, 1), (1, 1))
    yield 2, 3, 8, 6, (2, 2), (2, 2)
    yield 2, 3, 7, 9, (3, 3), (2, 2)
    yield 1, 2, 7, 8, (3, 2), (1, 1), one
    yield 1, 2, 5, 9, (2, 3), (3, 4)
    yield 1, 3, 6, 7, (3, 3), (2, 2), ((0, 1), (2, 0))
    yield 2, 2, 6, 7, (3, 2), (2, 2), one, (1, 1), True
    yield 1, 2, 4, 5, (2, 3), (3, 2), ((1, 0), (0, 2)), (1, 1), True
    yield 1, 1, 3, 2, (5, 4), (1, 2), ((2, 1), (1, 3))
    yield 2, 5, 4, 3, (4, 3), (4, 3)
    yield 1, 4, 1, 11, (1, 3), (1, 2)
    yield 1, 2, 9, 10, (7, 8), (2, 1)
    yield 1, 1, 1, 1, (1, 1), (1, 1)
    yield 0, 3, 7, 7, (3, 3), (2, 2)


def max_cases() -> Iterator[Pool2dProblem]:
    """The shared cases and dilated windows."""
    yield from (Pool2dProblem(*case) for case in shared_cases())
    yield Pool2dProblem(1, 2, 9, 8, (3, 2), (2, 1), ((1, 1), (1, 0)), (2, 3))
    yield Pool2dProblem(1, 2, 8, 9, (2, 3), (2, 3), ((0, 1), (2, 2)), (3, 2), True)


def avg_cases() -> Iterator[AvgPool2dProblem]:
    """The shared cases, with padding counted in the divisor and without."""
    for case in shared_cases():
        problem = AvgPool2dProblem(*case)
        yield problem
        if len(case) > 6:
            yield replace(problem, count_include_pad=False)
    yield AvgPool2dProblem(1, 2, 3, 4, (2, 2), (2, 1), ((2, 3), (1, 2)))  # windows of padding only


def _draw(problem: Pool2dProblem, name: str, stream: Stream) -> np.ndarray | None:
    """x: ties, zeros of both signs, NaN, infinities, a plane of -inf; index: a legal one."""
    shape = problem.spec("x")[0]
    values = stream.normal(shape)
    if name == "index":
        return reference_max(problem, values)[1]
    if name != "x":
        return None
    kind = stream.at(stream.stream + 1).words(values.size).reshape(shape) % 32
    values = np.round(2 * values) / 2
    for number, special in enumerate((np.nan, np.inf, -np.inf)):
        values[kind == number] = special
    if problem.n * problem.c > 1:
        values[-1, -1] = -np.inf
    return values


max_pool2d = Op(
    "max_pool2d",
    Pool2dProblem,
    ins=("x",),
    outs=("y", "index"),
    reference=reference_max,
    cases=max_cases,
    flops=_flops,
    draw=_draw,
)
max_pool2d_backward = Op(
    "max_pool2d_backward",
    Pool2dProblem,
    ins=("dy", "index"),
    outs=("dx",),
    reference=reference_max_backward,
    cases=max_cases,
    scale=LINEAR,
    flops=_flops,
    draw=_draw,
)
avg_pool2d = Op(
    "avg_pool2d",
    AvgPool2dProblem,
    ins=("x",),
    outs=("y",),
    reference=reference_avg,
    cases=avg_cases,
    scale=LINEAR,
    flops=_flops,
)
avg_pool2d_backward = Op(
    "avg_pool2d_backward",
    AvgPool2dProblem,
    ins=("dy",),
    outs=("dx",),
    reference=reference_avg_backward,
    cases=avg_cases,
    scale=LINEAR,
    flops=_flops,
)
