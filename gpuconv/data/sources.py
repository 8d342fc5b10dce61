"""From what a user names to a dataset."""

import os
from pathlib import Path

from ..errors import DataError, OptionError
from .cifar import cifar, is_cifar_folder
from .dataset import Dataset
from .embedded import mnist
from .folders import Progress, image_folder
from .idx_files import fashion_mnist, idx, is_idx_folder
from .packed import PackedImages, is_packed
from .tar_shards import tar_shards

_NAMED = {"mnist": mnist, "fashion-mnist": fashion_mnist}


def resolved(spec: str) -> str:
    """``spec`` so that it names the same data from any folder: a folder becomes absolute."""
    return spec if spec in _NAMED else os.path.abspath(spec)


def open_dataset(
    spec: str | os.PathLike,
    split: str,
    *,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """The dataset that ``spec`` names: "mnist", "fashion-mnist", a folder of IDX files, of binary
    CIFAR, of tar shards, of images, or one that gpuconv pack made (a folder called mnist is
    ./mnist).

    ``skip_bad`` and ``progress`` are those of ``image_folder``. Raises DataError when it is none of
    these, OptionError for what is no path, and what the dataset itself raises.
    """
    if not isinstance(spec, str | os.PathLike):
        raise OptionError(f"data: expected a name or a folder, got {spec!r}")
    named = _NAMED.get(os.fspath(spec))
    if named is not None:
        return named(split)
    root = Path(spec)
    if not root.is_dir():
        raise DataError(
            f"{root}: neither {', '.join(_NAMED)} nor a folder; "
            "name one of these, or a folder of IDX files, binary CIFAR, tar shards or images"
        )
    if is_packed(root):
        return PackedImages(root, split)
    if is_idx_folder(root):
        return idx(root, split)
    if is_cifar_folder(root):
        return cifar(root, split)
    if any(root.glob("*.tar")):
        return tar_shards(root, split)
    if any(path.is_dir() for path in root.iterdir()):
        return image_folder(root, split, skip_bad=skip_bad, progress=progress)
    raise DataError(
        f"{root}: holds neither IDX files (train-images-idx3-ubyte, ...), nor data_batch_1.bin of "
        f"CIFAR, nor *.tar, nor a folder for each class ({root}/CLASS/*.jpg or *.png); arrange it "
        "as one of these"
    )
