"""Initial values: a function of the run's seed and of the parameter's place in the net."""

from dataclasses import dataclass
from math import prod, sqrt

import numpy as np

from ..errors import OptionError
from ..random import Stream
from ..shapes import Shape


class Init:
    """How a parameter's first value is drawn."""

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """float64 values of ``shape``."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")


def fans(shape: Shape) -> tuple[int, int]:
    """(fan in, fan out) of a weight (out, in, ...): connections into and out of one unit."""
    window = prod(shape[2:])
    return (shape[1] if len(shape) > 1 else 1) * window, shape[0] * window


def _spread(distribution: str, shape: Shape, stream: Stream, std: float) -> np.ndarray:
    if distribution == "normal":
        return stream.normal(shape, std)
    if distribution == "uniform":
        return stream.uniform(shape, -sqrt(3.0) * std, sqrt(3.0) * std)
    raise OptionError(f"init: unknown distribution {distribution!r}; expected normal or uniform")


@dataclass(frozen=True)
class Kaiming(Init):
    """Variance gain^2 / fan (He et al. 2015, equation 10); gain sqrt(2) suits ReLU."""

    gain: float = sqrt(2.0)
    mode: str = "fan_in"
    distribution: str = "normal"

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """Values with standard deviation gain / sqrt(fan)."""
        if self.mode not in ("fan_in", "fan_out"):
            raise OptionError(f"Kaiming: unknown mode {self.mode!r}; expected fan_in or fan_out")
        fan = fans(shape)[self.mode == "fan_out"]
        return _spread(self.distribution, shape, stream, self.gain / sqrt(fan))


@dataclass(frozen=True)
class Xavier(Init):
    """Variance 2 gain^2 / (fan in + fan out) (Glorot and Bengio 2010, equation 12)."""

    gain: float = 1.0
    distribution: str = "uniform"

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """Values with standard deviation gain * sqrt(2 / (fan in + fan out))."""
        return _spread(self.distribution, shape, stream, self.gain * sqrt(2 / sum(fans(shape))))


@dataclass(frozen=True)
class Normal(Init):
    """Normal with mean 0 and standard deviation ``std`` (0.01 in Krizhevsky et al. 2012)."""

    std: float = 0.01

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """Normal values."""
        return stream.normal(shape, self.std)


@dataclass(frozen=True)
class Uniform(Init):
    """Uniform in [-limit, limit)."""

    limit: float

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """Uniform values."""
        return stream.uniform(shape, -self.limit, self.limit)


@dataclass(frozen=True)
class Constant(Init):
    """One value everywhere: 0 for a bias, 1 for the AlexNet paper's biases after ReLU."""

    value: float = 0.0

    def draw(self, shape: Shape, stream: Stream) -> np.ndarray:
        """The constant."""
        return np.full(shape, float(self.value))
