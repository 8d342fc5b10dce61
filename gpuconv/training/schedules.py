"""Learning rate schedules: a schedule is a function of the number of steps taken.

Every maker raises OptionError for rates or factors that are negative or no finite numbers, and for
numbers of steps that are no integers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, inf, pi
from numbers import Real
from typing import Any

import numpy as np

from ..errors import OptionError
from ..shapes import integer, real

Schedule = Callable[[int], float]


def _check(what: str, **numbers: float) -> None:
    for name, number in numbers.items():
        real(number, f"{what}: {name}", 0.0)


def constant(lr: float) -> Schedule:
    """Always ``lr``."""
    rate = real(lr, "constant: lr", 0.0)
    return lambda step: rate


def step_decay(lr: float, every: int, gamma: float = 0.1) -> Schedule:
    """``lr`` times ``gamma`` for each ``every`` steps taken, as torch's StepLR."""
    _check("step_decay", lr=lr, gamma=gamma)
    integer(every, "step_decay: every", 1)
    return lambda step: lr * gamma ** (step // every)


def multistep(lr: float, milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """``lr`` times ``gamma`` for each milestone reached, as torch's MultiStepLR."""
    _check("multistep", lr=lr, gamma=gamma)
    if not isinstance(milestones, Sequence):
        raise OptionError(f"multistep: milestones must be a list of steps, got {milestones!r}")
    stones = [integer(milestone, "multistep: milestones", 0) for milestone in milestones]
    return lambda step: lr * gamma ** sum(step >= stone for stone in stones)


def exponential(lr: float, gamma: float) -> Schedule:
    """``lr * gamma ** step``, as torch's ExponentialLR."""
    _check("exponential", lr=lr, gamma=gamma)
    return lambda step: lr * gamma**step


def cosine(lr: float, total: int, floor: float = 0.0) -> Schedule:
    """From ``lr`` to ``floor`` along half a cosine over ``total`` steps, then ``floor``.

    Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts.
    """
    _check("cosine", lr=lr, floor=floor)
    integer(total, "cosine: total", 1)
    return lambda step: floor + (lr - floor) * (1 + cos(pi * min(step, total) / total)) / 2


def warmup(schedule: Schedule, steps: int) -> Schedule:
    """``schedule`` times (step + 1) / steps during the first ``steps`` steps."""
    if not callable(schedule):
        raise OptionError(f"warmup: expected a schedule, as constant(0.1) gives; got {schedule!r}")
    return _Warmup(schedule, integer(steps, "warmup: steps", 0))


@dataclass(frozen=True)
class _Warmup:
    schedule: Schedule
    steps: int

    def __call__(self, step: int) -> float:
        return self.schedule(step) * min(1.0, (step + 1) / self.steps if self.steps else 1.0)


class Plateau:
    """``lr`` times ``factor`` whenever ``report(value)`` has not fallen for ``patience`` reports.

    As torch's ReduceLROnPlateau with an absolute threshold; call ``report`` with the validation
    loss after each epoch.
    """

    def __init__(
        self, lr: float, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4
    ) -> None:
        _check("Plateau", lr=lr, factor=factor, threshold=threshold)
        integer(patience, "Plateau: patience", 0)
        if not 0 < factor < 1:
            raise OptionError(f"Plateau: expected 0 < factor < 1, got {factor!r}")
        self.lr, self.factor, self.patience, self.threshold = lr, factor, patience, threshold
        self.best, self.bad = inf, 0

    def __call__(self, step: int) -> float:
        return self.lr

    def report(self, value: Any) -> None:
        """Take note of a new value; lowers the rate when patience has run out.

        NaN counts as no improvement. Raises OptionError for what is no number.
        """
        if isinstance(value, bool) or not isinstance(value, Real):
            raise OptionError(f"Plateau: expected a number to report, got {value!r}")
        if value < self.best - self.threshold:
            self.best, self.bad = float(value), 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.lr *= self.factor
            self.bad = 0


_STATE = {"lr": np.float64, "best": np.float64, "bad": np.int64}


def _plateau(schedule: Any) -> Plateau | None:
    """The Plateau that a rate follows, behind a warm-up too: the only schedule with a state."""
    while isinstance(schedule, _Warmup):
        schedule = schedule.schedule
    return schedule if isinstance(schedule, Plateau) else None


def schedule_state(schedule: Any) -> dict[str, np.ndarray]:
    """What a schedule has learned, as 0-d arrays by name; nothing for a function of the step."""
    plateau = _plateau(schedule)
    if plateau is None:
        return {}
    return {name: np.asarray(getattr(plateau, name), dtype) for name, dtype in _STATE.items()}


def check_schedule_state(state: Mapping[str, Any]) -> None:
    """Raise OptionError unless every value of a state is a number."""
    for name, value in state.items():
        if np.shape(value) != () or np.asarray(value).dtype.kind not in "fiu":
            raise OptionError(f"schedule: expected a number as state {name!r}, got {value!r}")


def load_schedule_state(schedule: Any, state: Mapping[str, Any]) -> None:
    """Go on from ``schedule_state``."""
    plateau = _plateau(schedule)
    if plateau is not None:
        for name in _STATE:
            setattr(plateau, name, np.asarray(state[name]).item())
