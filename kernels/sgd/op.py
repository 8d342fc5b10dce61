"""sgd: declaration."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape

FORMS = ("torch", "paper")


@dataclass(frozen=True)
class SGDProblem(Problem):
    """``size`` parameters; ``form`` says where the learning rate stands."""

    size: int
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    form: str = "torch"

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the flat arrays and of the learning rate."""
        flat = (self.size,)
        return {"parameter": flat, "gradient": flat, "velocity": flat, "lr": ()}


def reference(
    problem: SGDProblem,
    gradient: np.ndarray,
    lr: np.ndarray,
    parameter: np.ndarray,
    velocity: np.ndarray | None,
) -> tuple:
    """One step; returns parameter and velocity.

    "torch": v = m v + (g + d w), w = w - lr v, as torch.optim.SGD. "paper": v = m v - lr (g + d w),
    w = w + v, as Krizhevsky, Sutskever and Hinton (2012), section 5; the two differ at every change
    of the learning rate. Nesterov: Sutskever et al. (2013), equations 3 and 4.
    """
    m, d = problem.momentum, problem.weight_decay
    after, speed = np.zeros(problem.size), np.zeros(problem.size)
    for i in range(problem.size):
        slope = gradient[i] + d * parameter[i]
        if problem.form == "paper":
            slope *= -lr
        speed[i] = (0.0 if velocity is None else m * velocity[i]) + slope
        move = slope + m * speed[i] if problem.nesterov else speed[i]
        after[i] = parameter[i] + (move if problem.form == "paper" else -lr * move)
    return after, None if velocity is None else speed


def scale(
    problem: SGDProblem,
    outs: tuple,
    gradient: np.ndarray,
    lr: np.ndarray,
    parameter: np.ndarray,
    velocity: np.ndarray | None,
) -> tuple:
    """The step on absolute values, every term added: each product and sum is rounded once."""
    m, d = problem.momentum, problem.weight_decay
    slope = np.abs(gradient) + d * np.abs(parameter)
    if problem.form == "paper":
        slope = slope * abs(lr)
    speed = slope if velocity is None else slope + m * np.abs(velocity)
    move = slope + m * speed if problem.nesterov else speed
    step = move if problem.form == "paper" else abs(lr) * move
    return np.abs(parameter) + step, speed


def cases() -> Iterator[SGDProblem]:
    """Every form and option; one parameter, none."""
    yield SGDProblem(7)
    yield SGDProblem(1, 0.9)
    yield SGDProblem(0, 0.9)
    for form in FORMS:
        yield SGDProblem(33, 0.9, 5e-4, form=form)
        yield SGDProblem(33, 0.9, 5e-4, True, form)
        yield SGDProblem(33, 0.0, 0.1, form=form)


def draw(problem: SGDProblem, name: str, stream: Stream) -> np.ndarray | None:
    """A learning rate that is no power of two."""
    return np.asarray(0.013) if name == "lr" else None


sgd = Op(
    "sgd",
    SGDProblem,
    ins=("gradient", "lr"),
    outs=("parameter", "velocity?"),
    updates=("parameter", "velocity?"),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=lambda problem: 6 * problem.size,
    draw=draw,
)
