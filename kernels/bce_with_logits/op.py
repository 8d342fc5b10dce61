"""bce_with_logits and its gradient: declarations. The mean is over every element."""

from math import fsum
from typing import Any

import numpy as np

from gpuconv.registry import Op

from ..elementwise import relative
from ..loss import LossProblem, cases, draw


def reference(problem: LossProblem, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """loss = mean of max(x, 0) - x t + log(1 + e^-|x|), as torch.nn.BCEWithLogitsLoss.

    Equal to -(t log s(x) + (1 - t) log(1 - s(x))) with s the sigmoid, without its overflow.
    """
    terms = (
        np.maximum(x[i], 0.0) - x[i] * target[i] + np.log1p(np.exp(-abs(x[i])))
        for i in np.ndindex(problem.shape)
    )
    return np.asarray(fsum(terms) / problem.size)


def _sigmoid(v: Any) -> float:
    return float(np.exp(np.minimum(v, 0.0)) / (1.0 + np.exp(-abs(v))))


def reference_backward(
    problem: LossProblem, dloss: np.ndarray, x: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """dx = dloss (s(x) - target) / size."""
    dx = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        dx[i] = dloss * (_sigmoid(x[i]) - target[i]) / problem.size
    return dx


def scale(problem: LossProblem, outs: tuple, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean of max(x, 0) + |x t| + log(1 + e^-|x|): the first two cancel where t is near 1."""
    terms = np.maximum(x, 0.0) + np.abs(x * target) + np.log1p(np.exp(-np.abs(x)))
    return relative(problem, terms.sum() / problem.size)


def scale_backward(
    problem: LossProblem, outs: tuple, dloss: np.ndarray, x: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """|dloss| (s(x) + |t|) / size: the sigmoid is off by up to five eps of itself (see sigmoid)."""
    total = np.zeros(problem.shape)
    for i in np.ndindex(problem.shape):
        total[i] = _sigmoid(x[i]) + abs(target[i])
    return relative(problem, dloss * total / problem.size)


bce_with_logits = Op(
    "bce_with_logits",
    LossProblem,
    ins=("x", "target"),
    outs=("loss",),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=lambda problem: 6 * problem.size,
    draw=draw,
)
bce_with_logits_backward = Op(
    "bce_with_logits_backward",
    LossProblem,
    ins=("dloss", "x", "target"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=scale_backward,
    flops=lambda problem: 5 * problem.size,
    draw=draw,
)
