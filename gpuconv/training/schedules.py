"""Learning rate schedules: a schedule is a function of the number of steps taken."""

from collections.abc import Callable, Sequence
from math import cos, inf, pi

from ..errors import OptionError

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """Always ``lr``."""
    return lambda step: lr


def step_decay(lr: float, every: int, gamma: float = 0.1) -> Schedule:
    """``lr`` times ``gamma`` for each ``every`` steps taken, as torch's StepLR."""
    if every < 1:
        raise OptionError(f"step_decay: every must be >= 1, got {every!r}")
    return lambda step: lr * gamma ** (step // every)


def multistep(lr: float, milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """``lr`` times ``gamma`` for each milestone reached, as torch's MultiStepLR."""
    return lambda step: lr * gamma ** sum(step >= milestone for milestone in milestones)


def exponential(lr: float, gamma: float) -> Schedule:
    """``lr * gamma ** step``, as torch's ExponentialLR."""
    return lambda step: lr * gamma**step


def cosine(lr: float, total: int, floor: float = 0.0) -> Schedule:
    """From ``lr`` to ``floor`` along half a cosine over ``total`` steps, then ``floor``.

    Loshchilov and Hutter, "SGDR" (2017), equation 5, without restarts.
    """
    if total < 1:
        raise OptionError(f"cosine: total must be >= 1, got {total!r}")
    return lambda step: floor + (lr - floor) * (1 + cos(pi * min(step, total) / total)) / 2


def warmup(schedule: Schedule, steps: int) -> Schedule:
    """``schedule`` times (step + 1) / steps during the first ``steps`` steps."""
    if steps < 0:
        raise OptionError(f"warmup: steps must be >= 0, got {steps!r}")
    return lambda step: schedule(step) * min(1.0, (step + 1) / steps if steps else 1.0)


class Plateau:
    """``lr`` times ``factor`` whenever ``report(value)`` has not fallen for ``patience`` reports.

    As torch's ReduceLROnPlateau with an absolute threshold; call ``report`` with the validation
    loss after each epoch.
    """

    def __init__(
        self, lr: float, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4
    ) -> None:
        if not 0 < factor < 1 or patience < 0:
            raise OptionError(
                f"Plateau: expected 0 < factor < 1 and patience >= 0, got {factor!r}, {patience!r}"
            )
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
