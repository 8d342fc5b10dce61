"""ufunc: whole flat arrays, in place."""

import numpy as np

from .op import sgd


@sgd.kernel("ufunc", backend="numpy")
def run(outs, ins, problem, work):
    """One step of either form; see the reference for the formulas."""
    (parameter, velocity), (gradient, lr) = outs, ins
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
