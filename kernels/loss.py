"""What the elementwise losses share: a prediction, a target, a 0-d mean over every element."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class LossProblem(Problem):
    """Prediction x and target of one shape, with at least one element."""

    shape: Shape

    @property
    def size(self) -> int:
        """How many elements the mean is over."""
        return prod(self.shape)

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, target, loss and dloss."""
        return {"x": self.shape, "target": self.shape, "loss": ()}


def cases() -> Iterator[LossProblem]:
    """No dimension, one element, odd sizes, images, many elements."""
    for shape in ((), (1,), (7, 3), (2, 3, 5, 7), (1, 4099)):
        yield LossProblem(shape)


def draw(problem: LossProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Targets in [0, 1]; predictions with outliers of about 1000; a loss gradient below 0."""
    if name == "dloss":
        return np.asarray(-1.75)
    if name == "target":
        return stream.uniform(problem.shape)
    values = stream.normal(problem.shape)
    values.reshape(-1)[::13] *= 500
    return values
