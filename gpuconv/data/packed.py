"""Packed images: uint8 of one size in shards that are memory-mapped; pack.py makes them.

OUT/index.json             what was packed, and the shards of each split
OUT/train-00000.u8         uint8 (n, side, side, channels), row by row
OUT/train-00000.json       labels and CRC-32 of its images, and what was left out
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .dataset import check_labels, check_split

FORMAT = "gpuconv packed 1"
INDEX = "index.json"
_OPEN = 256  # maps at a time: each holds a file open, and a process may have 1,024
AGAIN = "remove its two files and run gpuconv pack again, which makes only what is missing"


@dataclass(frozen=True)
class Plan:
    """What is packed into what: equal plans give equal files. ``shards`` counts those of a split.

    ``source`` is a hash of the samples' places and labels.
    """

    name: str
    classes: tuple[str, ...]
    side: int
    channels: int
    shard_images: int
    shards: dict[str, int]
    source: str

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return self.side * self.side * self.channels

    def dumps(self, complete: bool) -> str:
        """The index file."""
        return json.dumps({"format": FORMAT, "complete": complete, **asdict(self)}, indent=1)


@dataclass(frozen=True)
class Record:
    """What lies beside a shard: a label and a CRC-32 for each image, and messages on bad ones."""

    labels: tuple[int, ...]
    crc32: tuple[int, ...]
    bad: tuple[str, ...]


def shard_file(root: Path, split: str, number: int) -> Path:
    """Where the images of a shard lie; its record ends in .json instead."""
    return root / f"{split}-{number:05d}.u8"


def is_packed(root: Path) -> bool:
    """Whether the folder was made by gpuconv pack."""
    return (root / INDEX).is_file() and _parse(root / INDEX).get("format") == FORMAT


def read_plan(root: Path) -> tuple[Plan, bool]:
    """The plan of a folder, and whether packing has ended; raises DataError for a damaged index."""
    said = _parse(root / INDEX)
    try:
        complete = bool(said.pop("complete"))
        if said.pop("format") != FORMAT:
            raise KeyError("format")
        return Plan(**{**said, "classes": tuple(said["classes"])}), complete
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{root / INDEX}: no index of gpuconv pack ({error}); pack the images again"
        ) from None


def read_record(plan: Plan, shard: Path) -> Record:
    """The record of a shard whose files agree in size; raises DataError, naming the file."""
    said = _parse(shard.with_suffix(".json"))
    try:
        record = Record(*(tuple(said[name]) for name in ("labels", "crc32", "bad")))
        size = shard.stat().st_size
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{shard.with_suffix('.json')}: no record of a shard ({error}); {AGAIN}"
        ) from None
    except OSError as error:
        raise DataError(f"{shard}: cannot be read ({error.strerror}); {AGAIN}") from None
    expected = len(record.labels) * plan.image_bytes
    if size != expected or len(record.crc32) != len(record.labels):
        why = "cut short" if size < expected else "of another size"
        raise DataError(f"{shard}: {why}: {size} bytes, expected {expected}; {AGAIN}")
    return record


def _parse(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); {AGAIN}") from None
    return said if isinstance(said, dict) else {}


class PackedImages:
    """The images of a split of a packed folder: uint8 (side, side, 1 or 3), memory-mapped.

    Each image is checked against its CRC-32 when it is first read. Raises DataError for a folder
    that is not packed whole, a shard cut short, and an image whose bytes have changed.
    """

    def __init__(self, root: str | os.PathLike, split: str) -> None:
        self._root = Path(root)
        self.plan, complete = read_plan(self._root)
        if not complete:
            raise DataError(f"{root}: packing has not ended; run the same gpuconv pack again")
        check_split(str(root), split, self.plan.shards)
        self.name, self.classes = self.plan.name, list(self.plan.classes)
        self._shards = [shard_file(self._root, split, n) for n in range(self.plan.shards[split])]
        records = [read_record(self.plan, shard) for shard in self._shards]
        self.labels = np.array([n for record in records for n in record.labels], np.int64)
        check_labels(str(root), self.labels, len(self.classes))
        self._crc32 = np.array([n for record in records for n in record.crc32], np.uint32)
        self.bad = [message for record in records for message in record.bad]
        self._starts = np.cumsum([0, *(len(record.labels) for record in records)])
        self._checked = np.zeros(len(self.labels), bool)
        self._maps: dict[int, np.ndarray] = {}

    @property
    def skipped(self) -> int:
        """How many images could not be read when this was packed."""
        return len(self.bad)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        index = range(len(self))[index]  # raises IndexError, and takes -1, as a list does
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        image = self._map(shard)[index - self._starts[shard]]
        if not self._checked[index]:
            if zlib.crc32(image) != self._crc32[index]:
                raise DataError(f"{self.place(index)}: its bytes have changed on disk; {AGAIN}")
            self._checked[index] = True
        return image, int(self.labels[index])

    def place(self, index: int) -> str:
        """What messages call a sample: its shard, and its number there."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return f"{self._shards[shard]}: image {index - self._starts[shard]}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}  # a map would travel as all of its bytes

    def _map(self, shard: int) -> np.ndarray:
        if shard not in self._maps:
            if len(self._maps) == _OPEN:
                del self._maps[next(iter(self._maps))]
            shape = (-1, self.plan.side, self.plan.side, self.plan.channels)
            raw = np.memmap(self._shards[shard], np.uint8, "r")
            self._maps[shard] = np.asarray(raw).reshape(shape)
        return self._maps[shard]
