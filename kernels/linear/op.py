"""linear, linear_input (data gradient), linear_weight (weight gradient): declarations."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import LINEAR, Op
from gpuconv.shapes import Shape


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
