"""leaky_relu, elu, sigmoid, tanh and their gradients: declarations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.registry import Op

from ..elementwise import ElementwiseProblem, case_shapes, draw, each, per_element, relative


@dataclass(frozen=True)
class LeakyReluProblem(ElementwiseProblem):
    """``negative_slope`` is the slope where x <= 0."""

    negative_slope: float = 0.01


@dataclass(frozen=True)
class EluProblem(ElementwiseProblem):
    """-``alpha * scale`` is the limit far below 0; ``scale`` multiplies both branches (SELU)."""

    alpha: float = 1.0
    scale: float = 1.0

    @property
    def depth(self) -> float:
        """alpha * scale: rounded once, where two products with x would round twice."""
        return self.alpha * self.scale


@dataclass(frozen=True)
class TanhProblem(ElementwiseProblem):
    """scale * tanh(slope * x)."""

    scale: float = 1.0
    slope: float = 1.0


def reference_leaky_relu(problem: LeakyReluProblem, x: np.ndarray) -> np.ndarray:
    """y = negative_slope * x where x <= 0, else x (Maas et al. 2013, equation 2)."""
    return each(problem, lambda v: problem.negative_slope * v if v <= 0 else v, x)


def reference_leaky_relu_backward(
    problem: LeakyReluProblem, dy: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """dx = negative_slope * dy where x <= 0, else dy."""
    return each(problem, lambda g, v: problem.negative_slope * g if v <= 0 else g, dy, x)


def reference_elu(problem: EluProblem, x: np.ndarray) -> np.ndarray:
    """y = alpha * scale * (e^x - 1) where x <= 0, else scale * x (Clevert et al. 2016, (15))."""
    depth, scale = problem.depth, problem.scale
    return each(problem, lambda v: depth * np.expm1(v) if v <= 0 else scale * v, x)


def reference_elu_backward(problem: EluProblem, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dx = alpha * scale * e^x * dy where x <= 0, else scale * dy."""
    depth, scale = problem.depth, problem.scale
    return each(problem, lambda g, v: depth * np.exp(v) * g if v <= 0 else scale * g, dy, x)


def reference_sigmoid(problem: ElementwiseProblem, x: np.ndarray) -> np.ndarray:
    """y = 1 / (1 + e^-x)."""
    return each(problem, lambda v: 1.0 / (1.0 + np.exp(-v)), x)


def reference_sigmoid_backward(
    problem: ElementwiseProblem, dy: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """dx = y * (1 - y) * dy, from the forward pass's result."""
    return each(problem, lambda g, v: v * (1.0 - v) * g, dy, y)


def reference_tanh(problem: TanhProblem, x: np.ndarray) -> np.ndarray:
    """y = scale * tanh(slope * x) (LeCun et al. 1998, appendix A)."""
    return each(problem, lambda v: problem.scale * np.tanh(problem.slope * v), x)


def reference_tanh_backward(problem: TanhProblem, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx = scale * slope * (1 - (y / scale)^2) * dy, from the forward pass's result."""
    full = problem.scale * problem.slope
    return each(problem, lambda g, v: full * (1.0 - (v / problem.scale) ** 2) * g, dy, y)


def scale(problem: ElementwiseProblem, outs: tuple, *arrays: np.ndarray) -> np.ndarray:
    """|result|, where no step cancels: every rounding is relative to the result.

    Each stored constant, product, sum of equal signs and quotient adds half an eps, each exp, expm1
    or tanh up to two. tanh's argument is off by one eps (slope and product), which moves tanh(z) by
    |z| (1 - tanh(z)^2) eps <= |tanh(z)| eps. The sum is below 5 eps.
    """
    return relative(problem, outs[0])


def scale_tanh_backward(
    problem: TanhProblem, outs: tuple, dy: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """|dy scale slope| (1 + (y / scale)^2): the difference of the two cancels."""
    square = 1.0 + (y / problem.scale) ** 2
    return relative(problem, dy * problem.scale * problem.slope * square)


def cases() -> Iterator[ElementwiseProblem]:
    """Every shape of the elementwise families."""
    yield from map(ElementwiseProblem, case_shapes())


def leaky_relu_cases() -> Iterator[LeakyReluProblem]:
    """The shapes with the usual slope, then slopes of 0, above 1 and below 0."""
    for shape in case_shapes():
        yield LeakyReluProblem(shape)
    for slope in (0.0, 1.5, -0.3):
        yield LeakyReluProblem((37,), slope)


def elu_cases() -> Iterator[EluProblem]:
    """The shapes with alpha 1, then 0, 1.7 and below 0, then scales: SELU's, below 0, 0."""
    for shape in case_shapes():
        yield EluProblem(shape)
    for alpha in (0.0, 1.7, -0.4):
        yield EluProblem((37,), alpha)
    for alpha, scale in ((1.6732632423543772, 1.0507009873554805), (0.5, -2.0), (1.0, 0.0)):
        yield EluProblem((37,), alpha, scale)


def tanh_cases() -> Iterator[TanhProblem]:
    """The shapes with the plain tanh, then LeNet-5's."""
    for shape in case_shapes():
        yield TanhProblem(shape)
    yield TanhProblem((4, 11), 1.7159, 2 / 3)


leaky_relu = Op(
    "leaky_relu",
    LeakyReluProblem,
    ins=("x",),
    outs=("y",),
    pointwise=True,
    reference=reference_leaky_relu,
    cases=leaky_relu_cases,
    scale=scale,
    flops=per_element(1),
    draw=draw,
)
leaky_relu_backward = Op(
    "leaky_relu_backward",
    LeakyReluProblem,
    ins=("dy", "x"),
    outs=("dx",),
    pointwise=True,
    reference=reference_leaky_relu_backward,
    cases=leaky_relu_cases,
    scale=scale,
    flops=per_element(1),
    draw=draw,
)
elu = Op(
    "elu",
    EluProblem,
    ins=("x",),
    outs=("y",),
    pointwise=True,
    reference=reference_elu,
    cases=elu_cases,
    scale=scale,
    flops=per_element(2),
    draw=draw,
)
elu_backward = Op(
    "elu_backward",
    EluProblem,
    ins=("dy", "x"),
    outs=("dx",),
    pointwise=True,
    reference=reference_elu_backward,
    cases=elu_cases,
    scale=scale,
    flops=per_element(3),
    draw=draw,
)
sigmoid = Op(
    "sigmoid",
    ElementwiseProblem,
    ins=("x",),
    outs=("y",),
    reference=reference_sigmoid,
    cases=cases,
    scale=scale,
    flops=per_element(3),
    draw=draw,
)
sigmoid_backward = Op(
    "sigmoid_backward",
    ElementwiseProblem,
    ins=("dy", "y"),
    outs=("dx",),
    reference=reference_sigmoid_backward,
    cases=cases,
    scale=scale,
    flops=per_element(3),
    draw=draw,
)
tanh = Op(
    "tanh",
    TanhProblem,
    ins=("x",),
    outs=("y",),
    pointwise=True,
    reference=reference_tanh,
    cases=tanh_cases,
    scale=scale,
    flops=per_element(3),
    draw=draw,
)
tanh_backward = Op(
    "tanh_backward",
    TanhProblem,
    ins=("dy", "y"),
    outs=("dx",),
    pointwise=True,
    reference=reference_tanh_backward,
    cases=tanh_cases,
    scale=scale_tanh_backward,
    flops=per_element(4),
    draw=draw,
)
