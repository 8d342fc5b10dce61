"""Tar shards as WebDataset lays them out: the files of a sample share a name up to its first dot.

    train-000.tar: 0001.jpg 0001.cls 0002.jpg 0002.cls ...

One pass over the headers finds where each image lies; its bytes are read when it is asked for.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import DataError
from .dataset import check_labels, check_split
from .folders import share
from .images import ENDINGS, decode_from, kind

_SPLITS = {"train": ("train",), "test": ("test", "val")}
CLASSES = "classes.txt"


@dataclass
class _Sample:
    key: str
    image: tuple[int, int] | None = None  # where its bytes begin, and how many they are
    label: bytes | None = None
    ending: str = ""


@dataclass(frozen=True)
class _Place:
    shard: Path
    name: str
    start: int
    size: int


@dataclass
class _Index:
    places: list[_Place] = field(default_factory=list)
    labels: list[int | str] = field(default_factory=list)


class TarShards:
    """Images in tar files, in the order of the shards: uint8 (H, W, 1 or 3), any H and W.

    Raises DataError, naming shard and member, for an image that is cut short or none.
    """

    def __init__(self, name: str, index: _Index, classes: list[str]) -> None:
        self.name, self.classes = name, classes
        self._places = index.places
        self.labels = np.array(index.labels, np.int64)
        check_labels(name, self.labels, len(classes))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return decode_from(self._bytes(index), self.place(index)), int(self.labels[index])

    def place(self, index: int) -> str:
        """What messages call a sample: its shard and its member."""
        return f"{self._places[index].shard}: {self._places[index].name}"

    def kind(self, index: int) -> str:
        """What a member says that it is; see images.kind."""
        return kind(self._bytes(index))

    def _bytes(self, index: int) -> IO[bytes]:
        place = self._places[index]
        try:
            with open(place.shard, "rb") as file:
                file.seek(place.start)
                return io.BytesIO(file.read(place.size))
        except OSError as error:
            raise DataError(f"{place.shard}: cannot be read ({error.strerror})") from None


def tar_shards(root: str | os.PathLike, split: str | None = None) -> TarShards:
    """The samples of root/*.tar; ``key.jpg`` (or another ending of images.py) and ``key.cls``.

    ``.cls`` is a number, or a name; without one the class is the folder of the member. Numbers are
    named by the lines of root/classes.txt, else "0", "1", ... Shards whose names begin with train
    and with test or val are the splits; otherwise one image of each class in ten is for the test,
    as in a folder of images. Raises OptionError for another split; DataError, naming the shard,
    for one that is cut short or compressed, a sample without image or label, and no sample.
    """
    root = Path(root)
    if split is not None:
        check_split(str(root), split, _SPLITS)
    shards = sorted(root.glob("*.tar"))
    parts = {part: [s for s in shards if s.name.startswith(n)] for part, n in _SPLITS.items()}
    whole, separate = _scan(shards), all(parts.values())
    classes = _classes(root, whole)
    if split is not None:
        chosen = set(parts[split])
        kept = (
            [k for k, place in enumerate(whole.places) if place.shard in chosen]
            if separate
            else _part(whole, split)
        )
        whole = _Index([whole.places[k] for k in kept], [whole.labels[k] for k in kept])
    if not whole.places:
        raise DataError(f"{root}: no samples for {split or 'it'} in {len(shards)} tar files")
    return TarShards(root.resolve().name, whole, classes)


def _part(index: _Index, split: str) -> list[int]:
    groups: dict[int | str, list[int]] = {}
    for number, label in enumerate(index.labels):
        groups.setdefault(label, []).append(number)
    return sorted(k for group in groups.values() for k in share(group, split))


def _classes(root: Path, index: _Index) -> list[str]:
    """The names of the classes; the labels of ``index`` become numbers."""
    names = sorted({label for label in index.labels if isinstance(label, str)})
    numbers = [label for label in index.labels if isinstance(label, int)]
    if names and numbers:
        raise DataError(
            f"{root}: some labels are names ({names[0]}) and some are numbers ({numbers[0]}); "
            "use one of the two in all shards"
        )
    given = _lines(root / CLASSES)
    if names:
        known = given or names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise DataError(f"{root / CLASSES}: has no class {unknown[0]!r}, which a label names")
        index.labels[:] = [known.index(str(label)) for label in index.labels]
        return known
    return given or [str(number) for number in range(max(numbers, default=-1) + 1)]


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _scan(shards: list[Path]) -> _Index:
    index = _Index()
    for shard in shards:
        for sample in _samples(shard):
            _add(index, shard, sample)
    return index


def _add(index: _Index, shard: Path, sample: _Sample) -> None:
    if sample.image is None:
        raise DataError(f"{shard}: sample {sample.key} has no image ({', '.join(ENDINGS)})")
    folder = sample.key.rpartition("/")[0].rpartition("/")[2]
    text = folder if sample.label is None else sample.label.decode("utf-8", "replace").strip()
    if not text:
        raise DataError(f"{shard}: sample {sample.key} has no label: neither .cls nor a folder")
    number = sample.label is not None and text.lstrip("-").isdecimal()
    index.places.append(_Place(shard, sample.key + sample.ending, *sample.image))
    index.labels.append(int(text) if number else text)


def _samples(shard: Path) -> Iterator[_Sample]:
    """The samples of a shard, from its headers and labels; images are not read."""
    sample: _Sample | None = None
    try:
        size = shard.stat().st_size
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if not member.isfile() or Path(member.name).name.startswith("."):
                    continue
                if member.offset_data + member.size > size:
                    raise DataError(f"{shard}: cut short within {member.name}; get it again")
                key, ending = _split_name(member.name)
                if sample is None or sample.key != key:
                    if sample is not None:
                        yield sample
                    sample = _Sample(key)
                _take(sample, tar, member, ending)
            if tar.offset + tarfile.BLOCKSIZE > size:  # a whole archive ends with blocks of zeros
                raise DataError(f"{shard}: cut short: it has no end; get it again")
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{shard}: no readable tar file ({error}); get it again, or decompress it"
        ) from None
    if sample is not None:
        yield sample


def _split_name(name: str) -> tuple[str, str]:
    folder, slash, file = name.rpartition("/")
    stem, dot, ending = file.partition(".")
    return folder + slash + stem, dot + ending


def _take(sample: _Sample, tar: tarfile.TarFile, member: tarfile.TarInfo, ending: str) -> None:
    if ending.lower().endswith(ENDINGS) and sample.image is None:
        sample.image, sample.ending = (member.offset_data, member.size), ending
    elif ending == ".cls":
        file = tar.extractfile(member)
        sample.label = file.read(1024) if file is not None else None
