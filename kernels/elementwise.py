"""What the elementwise families share: a problem of one shape, cases, test inputs, error scales.

Where a function has two branches, the positive one is taken where not (x <= 0), as PyTorch's
threshold_backward does: a derivative at 0 (and at -0.0) is the left one, and a NaN hands on dy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream, words
from gpuconv.shapes import Shape

WHERE = ("seed", "step", "stream")
PLACE = (0x9E3779B97F4A7C15, 5, 3)  # a test's seed, step and stream
SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf, 1e3, -1e3, 1e-3, -1e-3)


@dataclass(frozen=True)
class ElementwiseProblem(Problem):
    """x and y of one shape, any number of dimensions."""

    shape: Shape

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x and y."""
        return {"x": self.shape, "y": self.shape}


@dataclass(frozen=True)
class DrawingProblem(ElementwiseProblem):
    """An elementwise problem that draws a Philox word for every element."""

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, y and of the three numbers that say where the words are."""
        return {**super().shapes(), **dict.fromkeys(WHERE, ())}

    def dtypes(self) -> dict[str, str]:
        """A seed fills 64 bits; step and stream are plain integers."""
        return dict(zip(WHERE, ("uint64", "int64", "int64"), strict=True))


def draw_words(place: tuple, shape: Shape) -> np.ndarray:
    """The uint32 word of every element, for seed, step and stream as 0-d arrays."""
    seed, step, stream = map(int, place)
    return words(seed, step, stream, prod(shape)).reshape(shape)


def each(
    problem: ElementwiseProblem, function: Callable[..., float], *arrays: np.ndarray
) -> np.ndarray:
    """``function`` of every element in turn, in float64; what overflows or is undefined may."""
    y = np.zeros(problem.shape)
    with np.errstate(all="ignore"):
        for i in np.ndindex(problem.shape):
            y[i] = function(*(array[i] for array in arrays))
    return y


def per_element(count: int) -> Callable[[ElementwiseProblem], int]:
    """FLOPs of ``count`` operations an element; an exponential or a tanh counts as one."""
    return lambda problem: count * prod(problem.shape)


def case_shapes() -> Iterator[Shape]:
    """No dimension, an empty batch, one element, odd sizes, four dimensions."""
    yield from ((), (0, 3, 2), (1,), (37,), (5, 3), (2, 3, 5, 7))


def draw(problem: ElementwiseProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Normal values of deviation 2, with every special value in the inputs x and y."""
    if name in WHERE:
        return np.asarray(PLACE[WHERE.index(name)], np.uint64)
    shape, _ = problem.spec(name)
    values = stream.normal(shape, std=2.0)
    if name in ("x", "y") and values.size > len(SPECIAL):
        values.reshape(-1)[: len(SPECIAL)] = SPECIAL
    return values


def relative(problem: Problem, *magnitudes: np.ndarray) -> np.ndarray:
    """The sum of ``magnitudes``, plus the smallest normal number; 0 where they are not finite.

    eps times the smallest normal number is the spacing below it, so that a result which underflows
    may be off by a few such spacings. A NaN or an infinity must be matched exactly.
    """
    with np.errstate(invalid="ignore"):
        total = sum(np.abs(m) for m in magnitudes) + float(np.finfo(problem.dtype).tiny)
    return np.where(np.isfinite(total), total, 0.0)
