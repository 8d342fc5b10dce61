"""What the CUDA kernels of SGD share: their arguments."""

from typing import Any

from .._cuda import Launcher
from .op import SGDProblem


def arguments(
    launch: Launcher, problem: SGDProblem, outs: tuple, ins: tuple
) -> tuple[tuple, tuple[Any, ...]]:
    """The flat arrays, and what stands behind them; the parameter stands in for no velocity."""
    (parameter, velocity), (gradient, lr) = outs, ins
    form = launch.struct(
        has_velocity=velocity is not None,
        nesterov=problem.nesterov,
        paper=problem.form == "paper",
    )
    options = map(launch.real, (problem.momentum, problem.weight_decay))
    moving = parameter if velocity is None else velocity
    return (parameter, moving, gradient), (lr, *options, form)
