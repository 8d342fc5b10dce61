"""vectors: one pass over parameter, gradient and velocity, with NumPy's roundings."""

from functools import cache
from typing import Any

import numpy as np

from gpuconv.cpu import Pointwise, host

from .._cpu_cost import streaming
from .op import SGDProblem, sgd


@cache
def formula(form: str, nesterov: bool, moves: bool) -> Pointwise:
    """One step's formula; see the reference."""
    paper = form == "paper"

    def step(w: Any, g: Any, *more: Any) -> Any:
        velocity, (lr, momentum, decay) = more[:-3], more[-3:]
        slope = g + w * decay
        if paper:
            slope = slope * -lr
        speed = velocity[0] * momentum + slope if velocity else slope
        move = slope + momentum * speed if nesterov else speed
        after = w + (move if paper else -lr * move)
        return (after, speed) if velocity else after

    return Pointwise(step, 3 if moves else 2, 3)


def rates(problem: SGDProblem, lr: np.ndarray) -> np.ndarray:
    """The formula's scalars; a recording reads the learning rate anew each time."""
    made = np.array((0, problem.momentum, problem.weight_decay), np.float32)
    host(made.__setitem__, 0, lr)
    return made


@sgd.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    cost=streaming(sgd, "numba"),
    records=True,
)
def run(outs, ins, problem: SGDProblem, work):
    """One step of either form."""
    (parameter, velocity), (gradient, lr) = outs, ins
    arrays = [a for a in (parameter, velocity) if a is not None]
    step = formula(problem.form, problem.nesterov, velocity is not None)
    step.launch(arrays, (parameter, gradient, *arrays[1:]), rates(problem, lr))
