"""Cutting images out of larger ones: what takes the place of resizing the whole image.

A crop takes a uint8 image (H, W, C), four random uint32 words, and the height and width that the
net takes; it gives uint8 (views, height, width, C).
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Protocol

import numpy as np

from ..errors import OptionError
from ..shapes import integer, real
from .images import middle, resize

SIDE = 256  # the shorter side in Krizhevsky, Sutskever and Hinton (2012), section 2


class Crop(Protocol):
    """What the Loader takes as ``crop``; ``views`` is how many images it makes of one."""

    @property
    def views(self) -> int: ...
    def check(self, height: int, width: int) -> None:
        """Raise OptionError for a size that it cannot cut out."""
        ...

    def message(self, size: str) -> str:
        """What happens to images, for a person."""
        ...

    def __call__(
        self, image: np.ndarray, words: np.ndarray, height: int, width: int
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class _Square:
    """Crops of the middle ``side`` x ``side`` after the shorter side became ``side``."""

    side: int
    views: int = 1

    def __post_init__(self) -> None:
        integer(self.side, f"{type(self).__name__}: side", 1)

    def check(self, height: int, width: int) -> None:
        """The net's images must lie within the square."""
        if max(height, width) > self.side:
            raise OptionError(
                f"crop: the net takes {height}x{width}, which is not within {self.side}x"
                f"{self.side}; give a larger side"
            )

    def _square(self, image: np.ndarray) -> np.ndarray:
        if image.shape[:2] == (self.side, self.side):
            return image
        return middle(image, self.side, self.side, self.side)


class RandomCrop(_Square):
    """A random window of the middle square, every place equally likely."""

    def message(self, size: str) -> str:
        """One line."""
        return f"images: random {size} of the middle {self.side}x{self.side}"

    def __call__(self, image: np.ndarray, words: np.ndarray, height: int, width: int) -> np.ndarray:
        square = self._square(image)
        top = below(words[0], self.side - height + 1)
        left = below(words[1], self.side - width + 1)
        return square[None, top : top + height, left : left + width]


@dataclass(frozen=True)
class TenCrop(_Square):
    """The four corners and the middle of the square, and their mirror images.

    Krizhevsky, Sutskever and Hinton (2012), section 4.1; their predictions are averaged.
    """

    views: int = 10

    def message(self, size: str) -> str:
        """One line."""
        return f"images: ten crops {size} of the middle {self.side}x{self.side}"

    def __call__(self, image: np.ndarray, words: np.ndarray, height: int, width: int) -> np.ndarray:
        square, bottom, right = self._square(image), self.side - height, self.side - width
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
        places = [*corners, (round(bottom / 2), round(right / 2))]
        five = np.stack([square[top : top + height, left : left + width] for top, left in places])
        return np.concatenate([five, five[:, :, ::-1]])


@dataclass(frozen=True)
class RandomResizedCrop:
    """A window of random area and shape, resized, as of GoogLeNet (Szegedy et al. 2015, section 6).

    ``scale`` bounds its share of the area, ``ratio`` its width over its height. Where it does not
    fit it is cut to the image, in place of torchvision's ten further tries.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    views: int = 1

    def __post_init__(self) -> None:
        for name, pair in (("scale", self.scale), ("ratio", self.ratio)):
            low, high = (real(value, f"RandomResizedCrop: {name}", 0.0) for value in pair)
            if not 0 < low <= high:
                raise OptionError(f"RandomResizedCrop: {name} must be 0 < low <= high, got {pair}")

    def check(self, height: int, width: int) -> None:
        """Every size will do."""

    def message(self, size: str) -> str:
        """One line."""
        return f"images: random windows resized to {size}"

    def __call__(self, image: np.ndarray, words: np.ndarray, height: int, width: int) -> np.ndarray:
        rows, columns = image.shape[:2]
        area, shape = (float(word) * 2.0**-32 for word in words[:2])
        low, high = self.scale
        pixels = rows * columns * (low + (high - low) * area)
        low, high = map(log, self.ratio)
        ratio = exp(low + (high - low) * shape)
        across = min(max(round(sqrt(pixels * ratio)), 1), columns)
        down = min(max(round(sqrt(pixels / ratio)), 1), rows)
        top, left = below(words[2], rows - down + 1), below(words[3], columns - across + 1)
        return resize(image[top : top + down, left : left + across], height, width)[None]


def below(word: np.integer, count: int) -> int:
    """A number in [0, count) from a random word of 32 bits."""
    return int(word) * count >> 32
