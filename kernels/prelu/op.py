"""prelu and prelu_backward: declarations (He et al. 2015, equations 1 to 3)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape

from ..elementwise import ElementwiseProblem, draw, per_element, relative


@dataclass(frozen=True)
class PreluProblem(ElementwiseProblem):
    """``weights`` is 1, or the size of axis 1."""

    weights: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, y and weight."""
        return {**super().shapes(), "weight": (self.weights,)}

    def channel(self, index: tuple[int, ...]) -> int:
        """The weight that belongs to an element."""
        return index[1] if self.weights > 1 else 0


def reference(problem: PreluProblem, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y = weight[c] * x where x <= 0, else x."""
    y = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        y[i] = weight[problem.channel(i)] * x[i] if x[i] <= 0 else x[i]
    return y


def reference_backward(
    problem: PreluProblem, dy: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple:
    """dx = weight[c] * dy where x <= 0, else dy; dweight[c] = sum of dy * min(x, 0).

    A NaN in x hands dy on to dx and makes dweight NaN.
    """
    dx, dweight = np.zeros(problem.shape), np.zeros(problem.weights)
    for i in np.ndindex(problem.shape):
        channel = problem.channel(i)
        dx[i] = weight[channel] * dy[i] if x[i] <= 0 else dy[i]
        dweight[channel] += dy[i] * np.minimum(x[i], 0.0)
    return dx, dweight


def scale(problem: PreluProblem, outs: tuple, *arrays: np.ndarray) -> np.ndarray:
    """|y|: one product of two stored numbers."""
    return relative(problem, outs[0])


def scale_backward(
    problem: PreluProblem, outs: tuple, dy: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple:
    """|dx|, one product; the sum of |dy * min(x, 0)|, as dweight is linear in both."""
    _, total = reference_backward(problem, np.abs(dy), np.minimum(x, 0), weight)
    return relative(problem, outs[0]), relative(problem, total)


def cases() -> Iterator[PreluProblem]:
    """One weight for all or one a channel; vectors, rows, images, one channel, empty batch."""
    for shape in ((5, 3), (2, 3, 5, 7), (0, 3, 2)):
        yield PreluProblem(shape, 3)
        yield PreluProblem(shape, 1)
    yield PreluProblem((7,), 1)
    yield PreluProblem((3, 1, 4), 1)


def draw_backward(problem: PreluProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Normal values with zeros of both signs: a NaN would hide the rest of the sum."""
    values = stream.normal(problem.spec(name)[0])
    if name == "x" and values.size > 2:
        values.reshape(-1)[:2] = 0.0, -0.0
    return values


prelu = Op(
    "prelu",
    PreluProblem,
    ins=("x", "weight"),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=per_element(1),
    draw=draw,
)
prelu_backward = Op(
    "prelu_backward",
    PreluProblem,
    ins=("dy", "x", "weight"),
    outs=("dx", "dweight"),
    reference=reference_backward,
    cases=cases,
    scale=scale_backward,
    flops=per_element(3),
    draw=draw_backward,
)
