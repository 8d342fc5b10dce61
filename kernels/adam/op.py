"""adam: declaration (Kingma and Ba 2015, algorithm 1; decoupled: Loshchilov and Hutter 2019)."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import Op
from gpuconv.shapes import Shape

from ..elementwise import relative


@dataclass(frozen=True)
class AdamProblem(Problem):
    """``size`` parameters; ``decoupled`` takes weight decay out of the moments (AdamW)."""

    size: int
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False

    def shapes(self) -> dict[str, Shape]:
        """Shapes of the flat arrays, of the learning rate and of the step."""
        flat = dict.fromkeys(("parameter", "gradient", "m", "v"), (self.size,))
        return {**flat, "lr": (), "step": ()}

    def dtypes(self) -> dict[str, str]:
        """The step is a count; the first is 1."""
        return {"step": "int64"}

    def corrections(self, step: float) -> tuple[float, float]:
        """1 - beta1^step, and the square root of 1 - beta2^step."""
        return 1.0 - self.betas[0] ** step, sqrt(1.0 - self.betas[1] ** step)


def reference(
    problem: AdamProblem,
    gradient: np.ndarray,
    lr: np.ndarray,
    step: np.ndarray,
    parameter: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
) -> tuple:
    """One step as torch.optim.Adam takes it; returns parameter, m and v.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
    w = w - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps); weight decay adds d w to g, or,
    decoupled, takes lr d w from w.
    """
    (b1, b2), decay = problem.betas, problem.weight_decay
    first, second = problem.corrections(int(step))
    outs = np.array(parameter), np.array(m), np.array(v)
    for i in range(problem.size):
        w, g = parameter[i], gradient[i]
        if problem.decoupled:
            w -= lr * decay * w
        else:
            g += decay * w
        outs[1][i] = b1 * m[i] + (1.0 - b1) * g
        outs[2][i] = b2 * v[i] + (1.0 - b2) * g * g
        move = outs[1][i] / (sqrt(outs[2][i]) / second + problem.epsilon)
        outs[0][i] = w - lr / first * move
    return outs


def scale(
    problem: AdamProblem,
    outs: tuple,
    gradient: np.ndarray,
    lr: np.ndarray,
    step: np.ndarray,
    parameter: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
) -> tuple:
    """Moments: their formulas on absolute values. Parameter: |w| and the step's own error.

    The step m / (sqrt(v) / c + eps) is off by m's error over the denominator, and by half of v's
    relative error (which exceeds one eps only where weight decay cancels the gradient).
    """
    (b1, b2), decay = problem.betas, problem.weight_decay
    first, second = problem.corrections(int(step))
    g = np.abs(gradient) + (0.0 if problem.decoupled else decay) * np.abs(parameter)
    moment, square = b1 * np.abs(m) + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g
    loss = square / np.maximum(outs[2], np.finfo(problem.dtype).tiny)
    move = abs(lr) / first * moment / (np.sqrt(outs[2]) / second + problem.epsilon)
    kept = np.abs(parameter) * (1.0 + abs(lr) * decay)
    return tuple(relative(problem, s) for s in (kept + move * (1.0 + loss), moment, square))


def cases() -> Iterator[AdamProblem]:
    """Plain, both weight decays, other constants, one parameter, none."""
    yield AdamProblem(37)
    yield AdamProblem(1)
    yield AdamProblem(0)
    yield AdamProblem(37, weight_decay=0.1)
    yield AdamProblem(37, weight_decay=0.1, decoupled=True)
    yield AdamProblem(37, (0.0, 0.5), 1e-3)


def draw(problem: AdamProblem, name: str, stream: Stream) -> np.ndarray | None:
    """Step 3; second moments are not negative; the last parameter has had no gradient yet."""
    if name in ("lr", "step"):
        return np.asarray(0.013 if name == "lr" else 3)
    values = stream.normal((problem.size,))
    if name == "parameter":
        return values
    values[-1:] = 0.0
    return np.abs(values) if name == "v" else values


adam = Op(
    "adam",
    AdamProblem,
    ins=("gradient", "lr", "step"),
    outs=("parameter", "m", "v"),
    updates=("parameter", "m", "v"),
    reference=reference,
    cases=cases,
    scale=scale,
    flops=lambda problem: 12 * problem.size,
    draw=draw,
)
