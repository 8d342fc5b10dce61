"""clip_grad_norm and clip_grad_value: declarations."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum, sqrt

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import EXACT, Op
from gpuconv.shapes import Shape

from ..elementwise import relative

GUARD = 1e-6  # torch.nn.utils.clip_grad_norm_ adds it to the norm, so that none divides by 0


@dataclass(frozen=True)
class ClipProblem(Problem):
    """A flat gradient of ``size`` elements."""

    size: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the gradient and of the numbers that belong to it."""
        return {"gradient": (self.size,), **dict.fromkeys(("max_norm", "norm", "limit"), ())}


def reference_norm(problem: ClipProblem, max_norm: np.ndarray, gradient: np.ndarray) -> tuple:
    """The norm before, and gradient * min(1, max_norm / (norm + 1e-6)).

    Pascanu, Mikolov and Bengio (2013), algorithm 1, as torch.nn.utils.clip_grad_norm_.
    """
    norm = sqrt(fsum(g * g for g in gradient))
    factor = min(1.0, max_norm / (norm + GUARD))
    return np.asarray(norm), np.asarray([g * factor for g in gradient])


def reference_value(problem: ClipProblem, limit: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Every element moved into [-limit, limit]; NaN stays NaN."""
    after = gradient.copy()
    for i in range(problem.size):
        if gradient[i] > limit:
            after[i] = limit
        elif gradient[i] < -limit:
            after[i] = -limit
    return after


def scale(problem: ClipProblem, outs: tuple, *arrays: np.ndarray) -> tuple:
    """|norm|, a root of a sum without cancellation; |gradient|, off as the norm is and rounded."""
    return relative(problem, outs[0]), relative(problem, outs[1])


def cases() -> Iterator[ClipProblem]:
    """Many elements, few (a short vector is within the norm), one, none."""
    yield from map(ClipProblem, (1031, 3, 1, 0))


def draw(problem: ClipProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Limits that some cases are over and some within."""
    return {"max_norm": np.asarray(5.3), "limit": np.asarray(0.7)}.get(name)


def draw_value(problem: ClipProblem, name: str, stream: Stream) -> np.ndarray | None:
    """The same, with a NaN and infinities in the gradient."""
    if name != "gradient":
        return draw(problem, name, stream)
    values = stream.normal((problem.size,))
    if problem.size > 4:
        values[:4] = np.nan, np.inf, -np.inf, -0.0
    return values


clip_grad_norm = Op(
    "clip_grad_norm",
    ClipProblem,
    ins=("max_norm",),
    outs=("norm", "gradient"),
    updates=("gradient",),
    reference=reference_norm,
    cases=cases,
    scale=scale,
    flops=lambda problem: 3 * problem.size,
    draw=draw,
)
clip_grad_value = Op(
    "clip_grad_value",
    ClipProblem,
    ins=("limit",),
    outs=("gradient",),
    updates=("gradient",),
    reference=reference_value,
    cases=cases,
    scale=EXACT,
    draw=draw_value,
)
