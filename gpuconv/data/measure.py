"""What a data set holds, found by decoding it: counts, sizes, bad files, statistics, speed."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from ..errors import DataError
from ..shapes import integer
from .dataset import Dataset, title
from .folders import Progress
from .inputs import check_image, check_pair
from .transforms import to_channels

_SHOWN = 5
_PIXELS = 1 << 18  # at a time: a large photograph in float64 is a gigabyte


@dataclass(frozen=True)
class Colours:
    """Statistics of RGB values in [0, 1]; every image weighs the same, whatever its size.

    ``eigenvalues`` (3,), largest first, and ``eigenvectors`` (3, 3), one a column, are those of
    the covariance: what Krizhevsky, Sutskever and Hinton (2012), section 4.1, draw colour from.
    """

    mean: np.ndarray
    std: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray


@dataclass
class Measured:
    """What ``measure`` found; ``bad`` are the messages of samples that cannot be used."""

    name: str
    classes: list[str]
    images: int
    sampled: int
    counts: list[int]
    bad: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    heights: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    seconds: float = 0.0
    colours: Colours | None = None

    @property
    def images_per_s(self) -> float:
        """Decoded images a second, on one core."""
        return (self.sampled - len(self.bad)) / self.seconds if self.seconds else 0.0

    def remarks(self) -> list[str]:
        """What a person should look at before training on it."""
        found = [
            f"class names {a!r} and {b!r} differ only in case, spaces or Unicode form"
            for a, b in _alike(self.classes)
        ]
        if self.sampled < self.images:
            return found
        few = [c for c, n in zip(self.classes, self.counts, strict=True) if n < 2]
        if few:
            shown = ", ".join(few[:_SHOWN]) + (", ..." if len(few) > _SHOWN else "")
            found.append(f"{len(few)} classes with fewer than two readable images: {shown}")
        return found


class Moments:
    """Mean and covariance of RGB values in [0, 1], image by image, in float64."""

    def __init__(self) -> None:
        self.count, self.first, self.second = 0, np.zeros(3), np.zeros((3, 3))

    def add(self, image: np.ndarray) -> None:
        """Take in one uint8 image (H, W, 1 or 3)."""
        flat = to_channels(image, 3).reshape(-1, 3)
        self.count += 1
        for start in range(0, len(flat), _PIXELS):
            pixels = flat[start : start + _PIXELS].astype(np.float64) / 255
            self.first += pixels.sum(0) / len(flat)
            self.second += pixels.T @ pixels / len(flat)

    def colours(self) -> Colours | None:
        """The statistics; None before the first image."""
        if not self.count:
            return None
        mean = self.first / self.count
        covariance = self.second / self.count - np.outer(mean, mean)
        values, vectors = np.linalg.eigh(covariance)
        # eigh's order and sign, made the reader's: largest first, the largest entry positive.
        values, vectors = values[::-1].clip(0), vectors[:, ::-1]
        signs = np.sign(vectors[np.abs(vectors).argmax(0), range(3)])
        return Colours(mean, np.sqrt(covariance.diagonal().clip(0)), values, vectors * signs)


def measure(
    dataset: Dataset, *, sample: int | None = None, progress: Progress | None = None
) -> Measured:
    """Decode a data set, or ``sample`` images spread evenly over it, and say what it holds.

    A sample that raises DataError is counted as bad, by its message. ``progress`` is called with
    the number done and the total. Raises OptionError for a sample that is no positive integer,
    DataError for no images at all.
    """
    count = len(dataset)
    if not count:
        raise DataError(f"{title(dataset)}: the dataset has no samples; give it at least one")
    wanted = count if sample is None else min(integer(sample, "measure: sample", 1), count)
    classes = list(dataset.classes)
    found = Measured(title(dataset), classes, count, wanted, [0] * len(classes))
    moments = Moments()
    for done, index in enumerate(np.arange(wanted) * count // wanted, 1):
        _look(dataset, int(index), found, moments)
        if progress is not None:
            progress(done, wanted)
    found.colours = moments.colours()
    return found


def _look(dataset: Any, index: int, found: Measured, moments: Moments) -> None:
    start = perf_counter()
    try:
        image, label = check_pair(found.name, index, dataset[index])
        pixels = check_image(found.name, index, image)
        if not 0 <= label < len(found.classes):
            raise DataError(f"{found.name}: sample {index} has label {label}, no class")
    except DataError as error:
        found.bad.append(str(error))
        return
    found.seconds += perf_counter() - start
    found.counts[label] += 1
    height, width, channels = pixels.shape
    found.heights.append(height)
    found.widths.append(width)
    found.channels[channels] += 1
    if hasattr(dataset, "kind"):
        found.kinds[dataset.kind(index)] += 1
    if channels in (1, 3):
        moments.add(pixels)


def _alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that a person would take for one."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        plain = "".join(unicodedata.normalize("NFKC", name).casefold().split())
        if plain in seen:
            pairs.append((seen[plain], name))
        seen.setdefault(plain, name)
    return pairs
