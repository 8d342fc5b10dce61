"""Learning rate schedules: a schedule is a function of the number of steps taken.

Every maker raises OptionError for rates or factors that are negative or no finite numbers, and for
numbers of steps that are no integers.
"""

from collections.abc import Callable, Sequence
from math import cos, inf, pi

from ..errors import OptionError
from ..ops._scalars import real
from ..shapes import integer

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
    integer(steps, "warmup: steps", 0)
    return lambda step: schedule(step) * min(1.0, (step + 1) / steps if steps else 1.0)


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

    def report(self, value: float) -> None:
        """Take note of a new value; lowers the rate when patience has run out."""
        if value < self.best - self.threshold:
            self.best, self.bad = value, 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.lr *= self.factor
            self.bad = 0
