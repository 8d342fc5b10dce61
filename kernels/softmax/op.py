"""softmax, log_softmax and their gradients: declarations. Axis 1 of (N, K) or (N, K, H, W)."""

from collections.abc import Iterator

import numpy as np

from gpuconv.random import Stream
from gpuconv.registry import Op

from ..elementwise import ElementwiseProblem, per_element, relative


def _rows(problem: ElementwiseProblem) -> Iterator[tuple]:
    """The index of every row along axis 1."""
    n, _, *positions = problem.shape
    for batch, *at in np.ndindex(n, *positions):
        yield (batch, slice(None), *at)


def _shifted(row: np.ndarray) -> tuple:
    """x - max(x), its exponentials and their sum."""
    away = row - max(row, key=lambda v: (v != v, v))  # a NaN is the largest
    powers = [np.exp(v) for v in away]
    return away, np.asarray(powers), sum(powers)


def reference(problem: ElementwiseProblem, x: np.ndarray) -> np.ndarray:
    """y_i = e^(x_i - max) / sum over j of e^(x_j - max)."""
    y = np.zeros(problem.shape)
    with np.errstate(all="ignore"):
        for row in _rows(problem):
            _, powers, total = _shifted(x[row])
            y[row] = powers / total
    return y


def reference_log(problem: ElementwiseProblem, x: np.ndarray) -> np.ndarray:
    """y_i = x_i - max - log(sum over j of e^(x_j - max))."""
    y = np.zeros(problem.shape)
    with np.errstate(all="ignore"):
        for row in _rows(problem):
            away, _, total = _shifted(x[row])
            y[row] = away - np.log(total)
    return y


def reference_backward(problem: ElementwiseProblem, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dx_i = y_i (dy_i - sum over j of dy_j y_j), from the forward pass's result."""
    dx = np.zeros(problem.shape)
    for row in _rows(problem):
        inner = sum(g * v for g, v in zip(dy[row], y[row], strict=True))
        dx[row] = y[row] * (dy[row] - inner)
    return dx


def reference_log_backward(
    problem: ElementwiseProblem, dy: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """dx_i = dy_i - e^(y_i) sum over j of dy_j, from the forward pass's result."""
    dx = np.zeros(problem.shape)
    for row in _rows(problem):
        dx[row] = dy[row] - np.exp(y[row]) * sum(dy[row])
    return dx


def scale(problem: ElementwiseProblem, outs: tuple, x: np.ndarray) -> np.ndarray:
    """y_i (1 + |x_i - max| + sum over j of y_j |x_j - max|).

    x_i - max is rounded by half an eps of itself, which exp turns into a relative error; the sum
    carries the average of them over its terms. The exponentials (two eps each), the sum's own
    roundings and the quotient are the 1.
    """
    bound = np.zeros(problem.shape)
    with np.errstate(all="ignore"):
        for row in _rows(problem):
            away, powers, total = _shifted(x[row])
            bound[row] = powers / total * (1 + np.abs(away) + _mean(away, powers, total))
    return relative(problem, bound)


def scale_log(problem: ElementwiseProblem, outs: tuple, x: np.ndarray) -> np.ndarray:
    """1 + |x_i - max| + sum over j of softmax_j |x_j - max| + log(sum): see ``scale``.

    The sum's relative error is the logarithm's absolute error (the 1 and the average).
    """
    bound = np.zeros(problem.shape)
    with np.errstate(all="ignore"):
        for row in _rows(problem):
            away, powers, total = _shifted(x[row])
            mean = _mean(away, powers, total)
            bound[row] = 1 + np.abs(away) + mean + np.log(total)
    return relative(problem, bound)


def _mean(away: np.ndarray, powers: np.ndarray, total: float) -> float:
    return float(np.where(powers > 0, powers * np.abs(away), 0.0).sum() / total)


def scale_backward(
    problem: ElementwiseProblem, outs: tuple, dy: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """|y_i| (|dy_i| + sum over j of |dy_j y_j|): the difference cancels."""
    inner = np.abs(dy * y).sum(1, keepdims=True)
    return relative(problem, y * (np.abs(dy) + inner))


def scale_log_backward(
    problem: ElementwiseProblem, outs: tuple, dy: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """|dy_i| + e^(y_i) sum over j of |dy_j|: the difference cancels."""
    return relative(problem, np.abs(dy) + np.exp(y) * np.abs(dy).sum(1, keepdims=True))


def cases() -> Iterator[ElementwiseProblem]:
    """Rows and images, one class, many classes, empty batch."""
    for shape in ((3, 10), (1, 1), (5, 3), (2, 7, 3, 2), (4, 130), (0, 4), (2, 1, 3, 3)):
        yield ElementwiseProblem(shape)


def draw(problem: ElementwiseProblem, name: str, stream: Stream) -> np.ndarray:
    """Logits with outliers of about 1000; after the first rows also -inf, +inf and NaN."""
    values = 3.0 * stream.normal(problem.shape)
    values.reshape(-1)[::11] *= 300
    for row, special in enumerate((-np.inf, np.inf, np.nan), 1):
        if len(values) > row and problem.shape[1] > 1:
            values[row, 1] = special
    return values


def draw_backward(problem: ElementwiseProblem, name: str, stream: Stream) -> np.ndarray | None:
    """The forward pass's result, or its logarithm, as y."""
    if name == "dy":
        return None
    return reference(problem, 2.0 * stream.normal(problem.shape))


def draw_log_backward(problem: ElementwiseProblem, name: str, stream: Stream) -> np.ndarray | None:
    """The forward pass's result as y."""
    return None if name == "dy" else reference_log(problem, 2.0 * stream.normal(problem.shape))


softmax = Op(
    "softmax",
    ElementwiseProblem,
    ins=("x",),
    outs=("y",),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=per_element(4),
    draw=draw,
)
softmax_backward = Op(
    "softmax_backward",
    ElementwiseProblem,
    ins=("dy", "y"),
    outs=("dx",),
    reference=reference_backward,
    cases=cases,
    scale=scale_backward,
    flops=per_element(4),
    draw=draw_backward,
)
log_softmax = Op(
    "log_softmax",
    ElementwiseProblem,
    ins=("x",),
    outs=("y",),
    reference=reference_log,
    cases=cases,
    scale=scale_log,
    flops=per_element(4),
    draw=draw,
)
log_softmax_backward = Op(
    "log_softmax_backward",
    ElementwiseProblem,
    ins=("dy", "y"),
    outs=("dx",),
    reference=reference_log_backward,
    cases=cases,
    scale=scale_log_backward,
    flops=per_element(4),
    draw=draw_log_backward,
)
