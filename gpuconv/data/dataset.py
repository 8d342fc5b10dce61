"""What a dataset is, and the one that holds its images in memory."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from ..errors import DataError, OptionError


class Dataset(Protocol):
    """``len(d)`` samples; ``d[i]`` is (uint8 H x W x C array, class number).

    A ``name`` for messages is welcome; without one it is the type's.
    """

    @property
    def classes(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> tuple[np.ndarray, int]: ...


def title(dataset: Dataset) -> str:
    """What messages call a dataset."""
    return str(getattr(dataset, "name", type(dataset).__name__))


class ArrayDataset:
    """Images in memory: images uint8 (N, H, W, C), labels integers (N,) in [0, len(classes)).

    Raises DataError for another dtype or shape, counts that differ or a label out of range.
    """

    def __init__(
        self, name: str, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]
    ) -> None:
        _check_images(name, images)
        labels = np.asarray(labels)
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise DataError(
                f"{name}: labels are {labels.dtype} {labels.shape}, expected integers "
                f"({len(images)},): one class number for each image"
            )
        check_labels(name, labels, len(classes))
        self.name = name
        self.images = images
        self.labels = labels.astype(np.int64)
        self.classes = list(classes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index], int(self.labels[index])


def _check_images(name: str, images: np.ndarray) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images)
        raise DataError(
            f"{name}: images are {came}, expected a uint8 array (N, H, W, C) with values 0 to 255"
        )
    if 0 in images.shape:
        raise DataError(f"{name}: images of shape {images.shape} hold nothing; give at least one")


def check_labels(
    name: str, labels: np.ndarray, classes: int, samples: np.ndarray | None = None
) -> None:
    """Raise DataError for the first label outside [0, classes); ``samples`` are their numbers."""
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if bad.size:
        sample = bad[0] if samples is None else samples[bad[0]]
        raise DataError(
            f"{name}: sample {sample} has label {labels[bad[0]]} but there are {classes} classes "
            f"(labels 0 to {classes - 1}); correct the label or name more classes"
        )


def check_split(name: str, split: object, allowed: Iterable[str]) -> None:
    """Raise OptionError unless ``split`` is one of those that the dataset has."""
    known = list(allowed)
    if split not in known:
        raise OptionError(f"{name}: no split {split!r}; use one of {', '.join(known)}")
