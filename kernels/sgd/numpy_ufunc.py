"""ufunc: flat arrays in place, in pieces that stay in the cache."""

import numpy as np

from .._cpu_cost import streaming
from .op import sgd

PIECE = 1 << 16


@sgd.kernel("ufunc", backend="numpy", cost=streaming(sgd, "numpy", 4.0))
def run(outs, ins, problem, work):
    """One step of either form; see the reference for the formulas."""
    (parameter, velocity), (gradient, lr) = outs, ins
    for start in range(0, problem.size, PIECE):
        part = slice(start, start + PIECE)
        moving = None if velocity is None else velocity[part]
        _update(problem, parameter[part], moving, gradient[part], lr)


def _update(problem, parameter, velocity, gradient, lr):
    paper = problem.form == "paper"
    slope = gradient + parameter * np.asarray(problem.weight_decay, parameter.dtype)
    if paper:
        slope *= -lr
    move = slope
    if velocity is not None:
        velocity *= np.asarray(problem.momentum, parameter.dtype)
        velocity += slope
        move = velocity
    if problem.nesterov:
        move = slope + np.asarray(problem.momentum, parameter.dtype) * move
    parameter += move if paper else -lr * move
