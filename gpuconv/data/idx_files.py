"""Data sets in the IDX format, the layout of MNIST and Fashion-MNIST.

Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File
formats": two zero bytes, the type (8: unsigned byte), the number of dimensions, each size as a
big-endian 32-bit number, then the data.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import ArrayDataset, check_labels, check_split

_PREFIXES = {"train": "train", "test": "t10k"}
_DIMENSIONS = {"images": 3, "labels": 1}
_GZIP = b"\x1f\x8b"
_AGAIN = "get the file again"

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_FASHION_PACKAGE = Path("/usr/share/datasets/fashion-mnist")


def idx(root: str | os.PathLike, split: str, classes: Sequence[str] | None = None) -> ArrayDataset:
    """A folder in the layout of MNIST, gzip or not: uint8 H x W x 1; splits "train" and "test".

    Files: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, also spelt with a dot (train-images.idx3-ubyte) or ending in .gz.
    Without ``classes`` there are as many as the training labels say, named "0", "1", ...
    Raises OptionError for another split; DataError, naming the file, for one that is missing,
    truncated, too long, no IDX file or corrupt gzip, for counts that differ and for labels out
    of range.
    """
    root = Path(root)
    check_split(str(root), split, _PREFIXES)
    images_file, labels_file = (_find(root, split, kind) for kind in _DIMENSIONS)
    images, labels = read_idx(images_file, "images"), read_idx(labels_file, "labels")
    if len(images) != len(labels):
        raise DataError(
            f"{images_file}: {len(images)} images but {labels_file.name} has {len(labels)} labels; "
            "take both files from the same set"
        )
    names = _numbered(root) if classes is None else classes
    check_labels(str(labels_file), labels, len(names))
    return ArrayDataset(root.resolve().name, images[..., None], labels, names)


def fashion_mnist(split: str, root: str | os.PathLike | None = None) -> ArrayDataset:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): uint8 28 x 28 x 1; "train" and "test".

    Looked for in ``root`` and nowhere else if it is given; otherwise in
    $GPUCONV_DATA/fashion-mnist and in the folder of Debian's package dataset-fashion-mnist.
    Raises as ``idx`` does.
    """
    check_split("fashion-mnist", split, _PREFIXES)
    folders = [Path(root)] if root is not None else _fashion_folders()
    for folder in folders:
        if is_idx_folder(folder):
            dataset = idx(folder, split, FASHION_CLASSES)
            dataset.name = "fashion-mnist"
            return dataset
    raise DataError(
        f"fashion-mnist: no IDX files in {' or '.join(map(str, folders))}; on Debian and Ubuntu: "
        "apt-get install dataset-fashion-mnist; elsewhere put its four files into "
        "$GPUCONV_DATA/fashion-mnist or name their folder"
    )


def _fashion_folders() -> list[Path]:
    data = os.environ.get("GPUCONV_DATA")
    return ([Path(data) / "fashion-mnist"] if data else []) + [_FASHION_PACKAGE]


def is_idx_folder(root: Path) -> bool:
    """Whether the folder holds at least one file of the layout."""
    return any(
        path.is_file()
        for split in _PREFIXES
        for kind in _DIMENSIONS
        for path in _candidates(root, split, kind)
    )


def read_idx(path: Path, kind: str) -> np.ndarray:
    """The uint8 array of one file, (N, H, W) for "images", (N,) for "labels"; raises DataError."""
    data, dimensions = _read(path), _DIMENSIONS[kind]
    magic, header = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if data[:4] != magic:
        raise DataError(
            f"{path}: begins with {data[:4].hex(' ') or 'nothing'}, expected {magic.hex(' ')} "
            f"(IDX {kind}, unsigned bytes); {_AGAIN} or check its name"
        )
    if len(data) < header:
        raise DataError(f"{path}: truncated in its header ({len(data)} bytes); {_AGAIN}")
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    expected = header + prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{path}: {'truncated' if len(data) < expected else 'has trailing bytes'}: "
            f"{len(data)} bytes, expected {expected} for {kind} of shape {shape}; {_AGAIN}"
        )
    if expected == header:
        raise DataError(f"{path}: {kind} of shape {shape} hold nothing; {_AGAIN}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from error
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: corrupt gzip ({error}); {_AGAIN}") from error


def _candidates(root: Path, split: str, kind: str) -> list[Path]:
    tail = f"idx{_DIMENSIONS[kind]}-ubyte"
    stem = f"{_PREFIXES[split]}-{kind}"
    return [root / f"{stem}{dot}{tail}{end}" for end in ("", ".gz") for dot in "-."]


def _find(root: Path, split: str, kind: str) -> Path:
    candidates = _candidates(root, split, kind)
    for path in candidates:
        if path.is_file():
            return path
    raise DataError(
        f"{candidates[0]}: no such file, nor .gz, nor spelt {candidates[1].name}; "
        f"put the {split} {kind} there or name another folder"
    )


def _numbered(root: Path) -> list[str]:
    labels = read_idx(_find(root, "train", "labels"), "labels")
    return [str(label) for label in range(int(labels.max()) + 1)]
