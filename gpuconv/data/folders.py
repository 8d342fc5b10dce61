"""Folders of images: DIR/class/*.jpg, *.png and the other endings of images.py."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import DataError, OptionError
from ..random import SHUFFLE, Stream
from .dataset import check_split
from .images import ENDINGS, decode, kind

Progress = Callable[[int, int], None]
Item = TypeVar("Item")

_SPLIT_FOLDERS = {"train": ("train",), "test": ("test", "val")}
_TEST_PART = 10  # one image in ten


class ImageFolder:
    """Image files with a class each, decoded when asked for: uint8 (H, W, 1 or 3), any H and W.

    An unreadable image raises DataError, naming the file, when it is asked for. With ``skip_bad``
    every file is decoded once beforehand (the only way to find a truncated one; ``progress`` is
    called with the number done and the total), and the bad ones are left out: ``bad_files`` names
    them, ``skipped`` counts them. Raises DataError when a class has no readable image left.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Sequence[Path]],
        classes: Sequence[str],
        *,
        skip_bad: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.name = name
        self.classes = list(classes)
        self.bad_files: list[Path] = []
        if skip_bad:
            files = self._readable(files, progress)
        self.paths = [path for group in files for path in group]
        self.labels = np.repeat(np.arange(len(files)), [len(group) for group in files])

    @property
    def skipped(self) -> int:
        """How many unreadable images were left out."""
        return len(self.bad_files)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return decode(self.paths[index]), int(self.labels[index])

    def place(self, index: int) -> str:
        """What messages call a sample: its file."""
        return str(self.paths[index])

    def kind(self, index: int) -> str:
        """What a file says that it is; see images.kind."""
        return kind(self.paths[index])

    def _readable(
        self, files: Sequence[Sequence[Path]], progress: Progress | None
    ) -> list[list[Path]]:
        total, done = sum(map(len, files)), 0
        good: list[list[Path]] = []
        for group, title in zip(files, self.classes, strict=True):
            good.append([])
            for path in group:
                (good[-1] if _decodes(path) else self.bad_files).append(path)
                done += 1
                if progress is not None:
                    progress(done, total)
            if group and not good[-1]:
                raise DataError(
                    f"{group[0].parent}: none of the {len(group)} images of class {title!r} can "
                    "be read; replace them or remove the folder"
                )
        return good


def _decodes(path: Path) -> bool:
    try:
        decode(path)
    except DataError:
        return False
    return True


def image_folder(
    root: str | os.PathLike,
    split: str | None = None,
    *,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> ImageFolder:
    """The images of ``root``: one folder a class, classes and files in the order of their names.

    Splits: "train" and "test". If root/train and root/test (or root/val) exist, these are the
    splits, and the classes are those of root/train. Otherwise every class is split 90 to 10, the
    same way each time (one image in ten, at least one of two or more, is for the test). ``split``
    None takes all of root. Raises OptionError for another split, DataError for a missing folder,
    one without classes, an empty class or a test class that train has not.
    """
    root = Path(root)
    if split is not None:
        check_split(str(root), split, _SPLIT_FOLDERS)
    parts = _split_folders(root)
    if parts and split is None:
        raise OptionError(f"{root}: has the splits {', '.join(parts)}; say split=, one of them")
    if parts and split is not None:
        classes, files = _separate(parts, split)
    else:
        groups = _classes(root)
        classes, files = list(groups), [_part(group, split) for group in groups.values()]
    if not any(files):
        raise DataError(f"{root}: too few images for a test part; give a class two or more")
    return ImageFolder(root.resolve().name, files, classes, skip_bad=skip_bad, progress=progress)


def _split_folders(root: Path) -> dict[str, Path]:
    found = {
        split: next((root / name for name in names if (root / name).is_dir()), None)
        for split, names in _SPLIT_FOLDERS.items()
    }
    folders = {split: folder for split, folder in found.items() if folder is not None}
    return folders if len(folders) == len(_SPLIT_FOLDERS) else {}


def _separate(parts: dict[str, Path], split: str) -> tuple[list[str], list[list[Path]]]:
    groups, classes = _classes(parts[split]), list(_classes(parts["train"]))
    unknown = sorted(set(groups) - set(classes))
    if unknown:
        raise DataError(
            f"{parts[split]}: class {unknown[0]!r} is not among those of {parts['train']}; "
            "add it there or remove it here"
        )
    return classes, [groups.get(title, []) for title in classes]


def _classes(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; name one that holds a folder for each class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not folders:
        raise DataError(f"{root}: no class folders in it; expected {root}/CLASS/*.jpg or *.png")
    return {folder.name: _images(folder) for folder in folders}


def _images(folder: Path) -> list[Path]:
    files = sorted(
        path
        for path in folder.iterdir()
        if path.name[0] != "." and path.suffix.lower() in ENDINGS and _is_image(path)
    )
    if not files:
        raise DataError(
            f"{folder}: class {folder.name!r} is empty: no file ends in {', '.join(ENDINGS)}; "
            "add images or remove the folder"
        )
    return files


def _is_image(path: Path) -> bool:
    """Whether to take it: a link that leads nowhere too, which reading will name; no pipe."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _part(files: list[Path], split: str | None) -> list[Path]:
    return files if split is None else share(files, split)


def share(items: list[Item], split: str) -> list[Item]:
    """The part of one class that is for "test" (one in ten, at least one of two), or the rest."""
    count = max(len(items) // _TEST_PART, min(len(items) - 1, 1))
    # Its own stream: the split must not be the head of the loader's first shuffle.
    order = Stream(0, 0, SHUFFLE + 1).permutation(len(items))
    chosen = order[:count] if split == "test" else order[count:]
    return [items[index] for index in sorted(chosen)]
