"""blocked: every step of the formula on a block that stays in the cache, then the next block."""

import numpy as np

from .._cpu_cost import streaming
from .._numpy import blocks
from .op import AdamProblem, adam


@adam.kernel("blocked", backend="numpy", cost=streaming(adam, "numpy", 8.0))
def run(outs, ins, problem, work):
    """One step in place; the bias corrections are taken in float64."""
    (parameter, m, v), (gradient, lr, step) = outs, ins
    rates = float(lr), *problem.corrections(int(step))
    with np.errstate(invalid="ignore", over="ignore"):
        for block in blocks(problem.size):
            _update(problem, rates, parameter[block], gradient[block], m[block], v[block])


def _update(
    problem: AdamProblem,
    rates: tuple[float, float, float],
    w: np.ndarray,
    gradient: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
) -> None:
    (lr, first, second), (b1, b2) = rates, problem.betas
    g = gradient
    if problem.decoupled:
        w *= 1.0 - lr * problem.weight_decay
    elif problem.weight_decay:
        g = gradient + problem.weight_decay * w
    m *= b1
    m += (1.0 - b1) * g
    v *= b2
    v += (1.0 - b2) * g * g
    below = np.sqrt(v)
    below *= 1.0 / second
    below += problem.epsilon
    np.divide(m, below, out=below)
    below *= lr / first
    w -= below
