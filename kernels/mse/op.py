"""mse and mse_backward: declarations. The mean is over every element, as in torch.nn.MSELoss."""

from math import fsum

import numpy as np

from gpuconv.registry import Op

from ..elementwise import relative
from ..loss import LossProblem, cases, draw


def reference(problem: LossProblem, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """loss = sum of (x - target)^2 / size."""
    total = fsum((x[i] - target[i]) ** 2 for i in np.ndindex(problem.shape))
    return np.asarray(total / problem.size)


def reference_backward(
    problem: LossProblem, dloss: np.ndarray, x: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """dx = 2 dloss (x - target) / size."""
    dx = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        dx[i] = 2.0 * dloss * (x[i] - target[i]) / problem.size
    return dx


def scale(problem: LossProblem, outs: tuple, *arrays: np.ndarray) -> np.ndarray:
    """|result|: the difference of two stored numbers is rounded once; nothing else cancels.

    The terms of the sum are not negative, so that pairwise or float64 sums add little.
    """
    return relative(problem, outs[0])


mse = Op(
    "mse",
    LossProblem,
    ins=("x", "target"),
    outs=("loss",),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=lambda problem: 3 * problem.size,
    draw=draw,
)
mse_backward = Op(
    "mse_backward",
    LossProblem,
    ins=("dloss", "x", "target"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=scale,
    flops=lambda problem: 2 * problem.size,
    draw=draw,
)
