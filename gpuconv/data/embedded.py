"""The digits that come with the package: 10,000 of MNIST, and 1,797 small ones of UCI."""

import hashlib
import io
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import ArrayDataset, check_split

DIGITS = Path(__file__).parent / "digits" / "mnist-10k.npz"
SHA256 = "7d0bbd508b83b9a643327bbd370bb83502aa1b16dcf6b79dbfd282fe43d28545"
OPTDIGITS = DIGITS.parent / "optdigits.npz"
OPTDIGITS_SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"

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


# In the order of the source, which goes writer by writer: the test is of other hands.
_SMALL_SPLITS = {"train": slice(0, 1297), "test": slice(1297, 1797)}


def optdigits(split: str) -> ArrayDataset:
    """The embedded digits of UCI's "optdigits": uint8 8 x 8 x 1, ten classes.

    Splits: "train" (1,297) and "test" (500). Their values are 0 to 16 in the source and 0 to 255
    here, rounded. Raises as ``mnist``. Source: digits/README.md beside this module.
    """
    check_split("optdigits", split, _SMALL_SPLITS)
    images, labels = read_digits(OPTDIGITS, OPTDIGITS_SHA256)
    part = _SMALL_SPLITS[split]
    grey = np.rint(images[part] * (255 / 16)).astype(np.uint8)
    return ArrayDataset("optdigits", grey[..., None], labels[part], list("0123456789"))


def read_digits(path: Path, expected: str = SHA256) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, H, W) and labels uint8 (N,) of a file; raises DataError unless intact."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: the digits of the package cannot be read ({error.strerror}); "
            "install gpuconv again"
        ) from error
    found = hashlib.sha256(raw).hexdigest()
    if found != expected:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {found}, expected {expected}; install gpuconv again"
        )
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
