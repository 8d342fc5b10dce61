"""The 10,000 MNIST digits that come with the package."""

import hashlib
import io
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import ArrayDataset, check_split

DIGITS = Path(__file__).parent / "digits" / "mnist-10k.npz"
SHA256 = "7d0bbd508b83b9a643327bbd370bb83502aa1b16dcf6b79dbfd282fe43d28545"

# The settings of training are chosen on "validation"; "test" is for the final figure alone.
_SPLITS = {
    "train": slice(0, 9000),
    "test": slice(9000, 10000),
    "fit": slice(0, 8000),
    "validation": slice(8000, 9000),
}


def mnist(split: str) -> ArrayDataset:
    """The embedded MNIST digits: uint8 28 x 28 x 1, ten classes.

    Splits: "train" (9,000) and "test" (1,000); for choosing settings, "fit" (the first 8,000 of
    train) and "validation" (its last 1,000). Raises OptionError for another split and DataError
    when the file is missing or damaged. Source: digits/README.md beside this module.
    """
    check_split("mnist", split, _SPLITS)
    images, labels = read_digits(DIGITS)
    part = _SPLITS[split]
    return ArrayDataset("mnist", images[part, :, :, None], labels[part], list("0123456789"))


def read_digits(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (10000, 28, 28) and labels uint8 (10000,); raises DataError unless intact."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: the digits of the package cannot be read ({error.strerror}); "
            "install gpuconv again"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {found}, expected {SHA256}; install gpuconv again"
        )
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
