"""Makes digits/optdigits.npz from the wheel of scikit-learn 1.9.1.

pip download --no-deps scikit-learn==1.9.1
python -m gpuconv.data.make_optdigits scikit_learn-1.9.1-*.whl
"""

import argparse
import gzip
import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from .embedded import OPTDIGITS, OPTDIGITS_SHA256

MEMBER = "sklearn/datasets/data/digits.csv.gz"


def read_wheel(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 8, 8) of values 0 to 16, labels uint8 (N,); raises DataError."""
    try:
        with zipfile.ZipFile(path) as wheel:
            lines = gzip.decompress(wheel.read(MEMBER)).decode().splitlines()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: holds no {MEMBER} ({error}); give scikit-learn's wheel") from None
    table = np.array([line.split(",") for line in lines]).astype(np.float64)
    if table.shape[1:] != (65,) or (table != table.round()).any() or table[:, :64].max() > 16:
        raise DataError(
            f"{path}: {MEMBER} is {table.shape}, expected 64 values 0 to 16 and a label"
        )
    return table[:, :64].astype(np.uint8).reshape(-1, 8, 8), table[:, 64].astype(np.uint8)


def write(images: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Write both arrays, in the order they came in."""
    file = io.BytesIO()
    np.savez_compressed(file, images=images, labels=labels)
    path.write_bytes(file.getvalue())


def main(argv: Sequence[str] | None = None) -> None:
    """Make the file and say whether it is the one that the reader expects."""
    parser = argparse.ArgumentParser(prog="make_optdigits", description=__doc__)
    parser.add_argument("wheel", type=Path, help="scikit_learn-1.9.1-*.whl")
    parser.add_argument("--out", type=Path, default=OPTDIGITS, help="the .npz file to write")
    options = parser.parse_args(argv)
    write(*read_wheel(options.wheel), options.out)
    made = hashlib.sha256(options.out.read_bytes()).hexdigest()
    verdict = "as expected" if made == OPTDIGITS_SHA256 else f"expected {OPTDIGITS_SHA256}"
    print(f"{options.out}: {options.out.stat().st_size} bytes, SHA-256 {made} ({verdict})")


if __name__ == "__main__":
    main()
