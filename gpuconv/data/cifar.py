"""CIFAR-10 and CIFAR-100 in their binary layout.

Format: A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009), and the page
of the data sets, "Binary version": a record is one label byte (CIFAR-100: a coarse one, then a fine
one) and 3,072 bytes, the 32 x 32 red, then green, then blue values, row by row.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import ArrayDataset, check_split

_SIDE, _CHANNELS = 32, 3


@dataclass(frozen=True)
class _Layout:
    """The files of one of the two data sets; ``label`` is the byte of the record that is used."""

    files: dict[str, tuple[str, ...]]
    names: str
    labels: int
    label: int


_LAYOUTS = {
    "cifar-10": _Layout(
        {
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "test": ("test_batch.bin",),
        },
        "batches.meta.txt",
        labels=1,
        label=0,
    ),
    "cifar-100": _Layout(
        {"train": ("train.bin",), "test": ("test.bin",)}, "fine_label_names.txt", 2, 1
    ),
}


def cifar(root: str | os.PathLike, split: str) -> ArrayDataset:
    """A folder with the binary CIFAR-10 or CIFAR-100: uint8 32 x 32 x 3; "train" and "test".

    CIFAR-100 has its 100 fine classes. Raises OptionError for another split; DataError for a
    folder without the files, naming the first that is missing, for one that does not end with a
    record and for a label without a name.
    """
    root = Path(root)
    name, layout = _layout(root)
    check_split(str(root), split, layout.files)
    classes = _names(root / layout.names)
    parts = [_read(root / file, layout.labels) for file in layout.files[split]]
    records = np.concatenate(parts)
    planes = records[:, layout.labels :].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return ArrayDataset(name, images, records[:, layout.label], classes)


def is_cifar_folder(root: Path) -> bool:
    """Whether the folder holds at least one file of a layout."""
    return any((root / file).is_file() for file in _files())


def _files() -> list[str]:
    return [f for layout in _LAYOUTS.values() for split in layout.files.values() for f in split]


def _layout(root: Path) -> tuple[str, _Layout]:
    for name, layout in _LAYOUTS.items():
        if any((root / file).is_file() for split in layout.files.values() for file in split):
            return name, layout
    raise DataError(
        f"{root}: holds none of {', '.join(_files())}; name the folder of the .bin files"
    )


def _names(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the names of the classes cannot be read ({error})") from None


def _read(path: Path, labels: int) -> np.ndarray:
    size = labels + _CHANNELS * _SIDE * _SIDE
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); get the file again") from None
    if not data.size or data.size % size:
        raise DataError(
            f"{path}: {data.size} bytes, expected a multiple of {size} (records of {labels} label "
            "and 3072 image bytes): cut short? Get the file again"
        )
    return data.reshape(-1, size)
