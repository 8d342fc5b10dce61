"""hardtanh and hardtanh_backward: declarations. With bounds 0 and 6 it is ReLU6."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.registry import EXACT, Op

from ..elementwise import ElementwiseProblem, case_shapes, draw, each, per_element


@dataclass(frozen=True)
class HardtanhProblem(ElementwiseProblem):
    """min(max(x, ``min_val``), ``max_val``)."""

    min_val: float = -1.0
    max_val: float = 1.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds as numbers of the arrays' dtype: what x and y are compared with."""
        kind = np.dtype(self.dtype).type
        with np.errstate(over="ignore"):  # beyond the largest number there is no bound
            return float(kind(self.min_val)), float(kind(self.max_val))


def reference(problem: HardtanhProblem, x: np.ndarray) -> np.ndarray:
    """y = min_val where x <= min_val, max_val where x >= max_val, else x: NaN stays NaN."""
    low, high = problem.bounds
    return each(problem, lambda v: low if v <= low else high if v >= high else v, x)


def reference_backward(problem: HardtanhProblem, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= min_val or y >= max_val, else dy; y may be the result or the input."""
    low, high = problem.bounds
    return each(problem, lambda slope, v: 0.0 if v <= low or v >= high else slope, dy, y)


def cases() -> Iterator[HardtanhProblem]:
    """The shapes with ReLU6's bounds, then others: equal ones, and ones that are test inputs."""
    for shape in case_shapes():
        yield HardtanhProblem(shape, 0.0, 6.0)
    for bounds in ((-1.0, 1.0), (-2.5, -0.5), (0.5, 0.5), (-1e-3, 1e-3)):
        yield HardtanhProblem((37,), *bounds)


hardtanh = Op(
    "hardtanh",
    HardtanhProblem,
    ins=("x",),
    outs=("y",),
    pointwise=True,
    reference=reference,
    cases=cases,
    scale=EXACT,
    flops=per_element(2),
    draw=draw,
)
hardtanh_backward = Op(
    "hardtanh_backward",
    HardtanhProblem,
    ins=("dy", "y"),
    outs=("dx",),
    pointwise=True,
    reference=reference_backward,
    cases=cases,
    scale=EXACT,
    flops=per_element(2),
    draw=draw,
)
