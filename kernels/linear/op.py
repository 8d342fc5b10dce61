"""linear, linear_input (data gradient), linear_weight (weight gradient), linear_sgd: declared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import LINEAR, Op
from gpuconv.shapes import Shape

from ..sgd import op as sgd


@dataclass(frozen=True)
class LinearProblem(Problem):
    """Rows n, input features i, output features o."""

    n: int
    i: int
    o: int

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, weight, bias and y."""
        return {
            "x": (self.n, self.i),
            "weight": (self.o, self.i),
            "bias": (self.o,),
            "y": (self.n, self.o),
        }


def reference(
    problem: LinearProblem, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """y[n,o] = bias[o] + sum over i of x[n,i] * weight[o,i], then the epilogue."""
    y = np.zeros((problem.n, problem.o))
    for n, o in np.ndindex(y.shape):
        y[n, o] = 0.0 if bias is None else bias[o]
        for i in range(problem.i):
            y[n, o] += x[n, i] * weight[o, i]
    return np.where(y <= 0, 0.0, y) if problem.epilogue == "relu" else y


def reference_input(problem: LinearProblem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx[n,i] = sum over o of dy[n,o] * weight[o,i]."""
    dx = np.zeros((problem.n, problem.i))
    for n, i in np.ndindex(dx.shape):
        for o in range(problem.o):
            dx[n, i] += dy[n, o] * weight[o, i]
    return dx


def reference_weight(problem: LinearProblem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """dweight[o,i] = sum over n of dy[n,o] * x[n,i]."""
    dweight = np.zeros((problem.o, problem.i))
    for o, i in np.ndindex(dweight.shape):
        for n in range(problem.n):
            dweight[o, i] += dy[n, o] * x[n, i]
    return dweight


@dataclass(frozen=True)
class LinearSGDProblem(LinearProblem):
    """A weight gradient, and the step of SGD that it is for; see the op sgd."""

    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    form: str = "torch"

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, dy, weight, velocity and the learning rate."""
        return {**super().shapes(), "velocity": (self.o, self.i), "lr": ()}

    @property
    def gradient(self) -> LinearProblem:
        """The weight gradient alone."""
        return LinearProblem(self.n, self.i, self.o, dtype=self.dtype, precision=self.precision)

    @property
    def step(self) -> sgd.SGDProblem:
        """The step alone, of the flat weight."""
        options = self.momentum, self.weight_decay, self.nesterov, self.form
        return sgd.SGDProblem(self.o * self.i, *options, dtype=self.dtype, precision=self.precision)


def _stepped(made: tuple, problem: LinearSGDProblem) -> tuple:
    """Flat arrays of a step in the weight's shape."""
    return tuple(None if a is None else a.reshape(problem.o, problem.i) for a in made)


def _flat(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.reshape(-1)


def reference_sgd(
    problem: LinearSGDProblem,
    x: np.ndarray,
    dy: np.ndarray,
    lr: np.ndarray,
    weight: np.ndarray,
    velocity: np.ndarray | None,
) -> tuple:
    """The references of linear_weight and sgd, one after the other."""
    slope = reference_weight(problem, x, dy).reshape(-1)
    made = sgd.reference(problem.step, slope, lr, weight.reshape(-1), _flat(velocity))
    return _stepped(made, problem)


def scale_sgd(
    problem: LinearSGDProblem,
    outs: tuple,
    x: np.ndarray,
    dy: np.ndarray,
    lr: np.ndarray,
    weight: np.ndarray,
    velocity: np.ndarray | None,
) -> tuple:
    """That of sgd, for the gradient of absolute values."""
    slope = reference_weight(problem, np.abs(x), np.abs(dy)).reshape(-1)
    made = sgd.scale(problem.step, (), slope, lr, weight.reshape(-1), _flat(velocity))
    return _stepped(made, problem)


def _flops(problem: LinearProblem) -> int:
    return 2 * problem.n * problem.i * problem.o


def cases() -> Iterator[LinearProblem]:
    """Odd sizes, one of everything, empty batch."""
    for sizes in ((3, 5, 7), (1, 1, 1), (17, 33, 9), (2, 1, 5), (5, 70, 1), (0, 4, 3)):
        yield LinearProblem(*sizes)


def forward_cases() -> Iterator[LinearProblem]:
    """The cases, the first one with the ReLU epilogue as well."""
    yield replace(next(cases()), epilogue="relu")
    yield from cases()


def sgd_cases() -> Iterator[LinearSGDProblem]:
    """The forms of a step; sizes of less than a tile, and of more."""
    yield LinearSGDProblem(3, 5, 7)
    yield LinearSGDProblem(1, 1, 1, 0.9)
    yield LinearSGDProblem(0, 4, 3, 0.9, 0.1)
    for form in sgd.FORMS:
        yield LinearSGDProblem(17, 33, 9, 0.9, 5e-4, form=form)
        yield LinearSGDProblem(2, 70, 31, 0.9, 5e-4, True, form)


def draw(problem: LinearSGDProblem, name: str, stream: Stream) -> np.ndarray | None:
    """A learning rate that is no power of two."""
    return np.asarray(0.013) if name == "lr" else None


linear = Op(
    "linear",
    LinearProblem,
    ins=("x", "weight", "bias?"),
    outs=("y",),
    reference=reference,
    cases=forward_cases,
    scale=LINEAR,
    flops=_flops,
)
linear_input = Op(
    "linear_input",
    LinearProblem,
    ins=("dy", "weight"),
    outs=("dx",),
    reference=reference_input,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
linear_weight = Op(
    "linear_weight",
    LinearProblem,
    ins=("x", "dy"),
    outs=("dweight",),
    reference=reference_weight,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
linear_sgd = Op(
    "linear_sgd",
    LinearSGDProblem,
    ins=("x", "dy", "lr"),
    outs=("weight", "velocity?"),
    updates=("weight", "velocity?"),
    reference=reference_sgd,
    cases=sgd_cases,
    scale=scale_sgd,
    flops=lambda problem: _flops(problem) + 6 * problem.i * problem.o,
    draw=draw,
)
