"""vectors: one pass over parameter, gradient and both moments."""

from functools import cache
from typing import Any

from gpuconv.cpu import Pointwise
from gpuconv.cpu.formula import sqrt

from .._cpu_cost import streaming
from .op import AdamProblem, adam


@cache
def _step(decoupled: bool) -> Pointwise:
    """One step's formula; the corrections and what is left of 1 were taken in float64."""

    def step(w: Any, g: Any, m: Any, v: Any, *rates: Any) -> tuple:
        b1, left1, b2, left2, rate, correction, epsilon, decay = rates
        if decoupled:
            w = w * decay
        else:
            g = g + decay * w
        m = m * b1 + g * left1
        v = v * b2 + g * left2 * g
        return w - m / (sqrt(v) * correction + epsilon) * rate, m, v

    return Pointwise(step, 4, 8)


@adam.kernel("vectors", backend="numba", precisions=("fp32",), cost=streaming(adam, "numba"))
def run(outs, ins, problem: AdamProblem, work):
    """One step in place."""
    (gradient, lr, step), (b1, b2) = ins, problem.betas
    first, second = problem.corrections(int(step))
    decay = 1.0 - float(lr) * problem.weight_decay if problem.decoupled else problem.weight_decay
    moments = b1, 1.0 - b1, b2, 1.0 - b2
    rates = float(lr) / first, 1.0 / second, problem.epsilon, decay
    parameter, m, v = outs
    _step(problem.decoupled)(outs, (parameter, gradient, m, v), *moments, *rates)
