"""philox: words, slopes and products in one pass (gpuconv/cpu/drawing.py)."""

import numpy as np

from gpuconv.cpu import Drawing
from gpuconv.cpu.formula import Value, where

from .._cpu_cost import streaming
from .op import RreluProblem, rrelu, rrelu_backward


def _slope(word: Value, low: Value, span: Value) -> Value:
    return ((word >> 8).real() * 2.0**-24) * span + low


def _forward(word, x, low, span):
    return where(x <= 0, x * _slope(word, low, span), x)


def _backward(word, dy, x, low, span):
    return where(x <= 0, dy * _slope(word, low, span), dy)


FORWARD, BACKWARD = Drawing(_forward, 1, 2), Drawing(_backward, 2, 2)


def _range(problem: RreluProblem) -> tuple[np.float32, np.float32]:
    return np.float32(problem.lower), np.float32(problem.upper - problem.lower)


@rrelu.kernel(
    "philox",
    backend="numba",
    precisions=("fp32",),
    records=True,
    cost=streaming(rrelu, "numba", 2.0),
)
def forward(outs, ins, problem, work):
    """y = x * (slope where x <= 0, else 1)."""
    (y,), (x, *place) = outs, ins
    FORWARD(y, (x,), place, *_range(problem))


@rrelu_backward.kernel(
    "philox",
    backend="numba",
    precisions=("fp32",),
    records=True,
    cost=streaming(rrelu_backward, "numba", 2.0),
)
def backward(outs, ins, problem, work):
    """dx = dy * (slope where x <= 0, else 1)."""
    (dx,), (dy, x, *place) = outs, ins
    BACKWARD(dx, (dy, x), place, *_range(problem))
