"""What the CUDA kernels of Adam share: its numbers as their struct."""

from typing import Any

import numpy as np

from .op import AdamProblem

WIDE = ("lr_decay", "first", "second")
REAL = ("beta1", "rest1", "beta2", "rest2", "epsilon", "decay")


def struct(problem: AdamProblem) -> Any:
    """The options as the struct Adam of step.cuh, as C++ lays it out."""
    (first, second), decay = problem.betas, problem.weight_decay
    wide = decay if problem.decoupled else 0.0, first, second
    rest = first, 1.0 - first, second, 1.0 - second, problem.epsilon
    fields = [(name, "f8") for name in WIDE] + [(name, problem.dtype) for name in REAL]
    values = *wide, *rest, 0.0 if problem.decoupled else decay
    return np.array(values, np.dtype(fields, align=True))[()]
