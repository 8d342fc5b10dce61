"""Augmentations of what an image shows, not of where: colour noise and cutout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError, ShapeError
from ..shapes import integer, real
from .transforms import Augmentation


def color_noise(
    eigenvalues: Sequence[float], eigenvectors: Sequence[Sequence[float]], std: float = 0.1
) -> Augmentation:
    """Adds [p1 p2 p3] [a1 l1, a2 l2, a3 l3] to every pixel of an image, a drawn from N(0, std).

    Krizhevsky, Sutskever and Hinton (2012), section 4.1: p and l are the eigenvectors (columns) and
    eigenvalues of the covariance of RGB values, here in [0, 1], as ``gpuconv data`` finds them;
    a is drawn once for each use of an image. The result is rounded to a byte. Raises OptionError
    unless there are three of each.
    """
    values, vectors = np.asarray(eigenvalues, float), np.asarray(eigenvectors, float)
    finite = np.isfinite(values).all() and np.isfinite(vectors).all()
    if values.shape != (3,) or vectors.shape != (3, 3) or not finite:
        raise OptionError(
            f"color_noise: expected 3 eigenvalues and 3 x 3 eigenvectors, got {values.shape} and "
            f"{vectors.shape}; gpuconv data prints them"
        )
    scale = real(std, "color_noise: std", 0.0) * 255
    return _ColorNoise(tuple(map(tuple, (vectors * values * scale).tolist())))


@dataclass(frozen=True)
class _ColorNoise:
    columns: tuple[tuple[float, ...], ...]

    def __call__(self, images: np.ndarray, words: np.ndarray) -> np.ndarray:
        if images.shape[-1] != 3:
            raise ShapeError(
                f"color_noise: images have {images.shape[-1]} channels, expected RGB; leave it out"
            )
        shift = _normal(words) @ np.array(self.columns).T
        moved = images + shift.astype(np.float32)[:, None, None]
        return np.rint(moved).clip(0, 255).astype(np.uint8)


def _normal(words: np.ndarray) -> np.ndarray:
    """Three normal values for each sample (Box and Muller 1958) from four words."""
    unit = (words.astype(np.float64) + 0.5) * 2.0**-32
    radius = np.sqrt(-2 * np.log(unit[:, ::2]))
    angle = 2 * np.pi * unit[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    return pairs.reshape(len(words), 4)[:, :3]


def cutout(size: int, fill: int = 128) -> Augmentation:
    """Fills a square of ``size`` pixels around a random pixel (DeVries and Taylor 2017).

    Parts beyond the edge are cut off, as there. Raises OptionError unless ``size`` is an integer
    >= 1 and ``fill`` a byte.
    """
    if integer(fill, "cutout: fill", 0) > 255:
        raise OptionError(f"cutout: fill must be a byte, got {fill!r}")
    return _Cutout(integer(size, "cutout: size", 1), fill)


@dataclass(frozen=True)
class _Cutout:
    size: int
    fill: int

    def __call__(self, images: np.ndarray, words: np.ndarray) -> np.ndarray:
        _, height, width, _ = images.shape
        wide = words.astype(np.uint64)
        inside = [
            self._within(wide[:, axis] * np.uint64(length) >> np.uint64(32), length)
            for axis, length in enumerate((height, width))
        ]
        hole = inside[0][:, :, None] & inside[1][:, None, :]
        return np.where(hole[..., None], np.uint8(self.fill), images)

    def _within(self, centre: np.ndarray, length: int) -> np.ndarray:
        start = centre.astype(np.int64)[:, None] - self.size // 2
        position = np.arange(length)
        return (position >= start) & (position < start + self.size)
