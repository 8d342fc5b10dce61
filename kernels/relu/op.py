"""relu and relu_backward: declarations."""

from collections.abc import Iterator

import numpy as np

from gpuconv.registry import EXACT, Op

from ..elementwise import ElementwiseProblem, case_shapes, draw, each


def reference(problem: ElementwiseProblem, x: np.ndarray) -> np.ndarray:
    """y = 0 where x <= 0, else x: NaN stays NaN."""
    return each(problem, lambda v: 0.0 if v <= 0 else v, x)


def reference_backward(problem: ElementwiseProblem, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = 0 where y <= 0, else dy; y may be the forward pass's result or its input."""
    return each(problem, lambda slope, v: 0.0 if v <= 0 else slope, dy, y)


def cases() -> Iterator[ElementwiseProblem]:
    """Every shape of the elementwise families."""
    yield from map(ElementwiseProblem, case_shapes())


relu = Op(
    "relu",
    ElementwiseProblem,
    ins=("x",),
    outs=("y",),
    pointwise=True,
    reference=reference,
    cases=cases,
    scale=EXACT,
    draw=draw,
)
relu_backward = Op(
    "relu_backward",
    ElementwiseProblem,
    ins=("dy", "y"),
    outs=("dx",),
    pointwise=True,
    reference=reference_backward,
    cases=cases,
    scale=EXACT,
    draw=draw,
)
