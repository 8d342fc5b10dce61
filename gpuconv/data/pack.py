"""gpuconv pack: decodes every image once, into shards that packed.py reads.

A shard is whole when its record lies beside it: packing that was killed goes on with the others.
"""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._files import replace_file, unwritable
from ..errors import DataError, OptionError
from ..shapes import integer
from .dataset import Dataset, title
from .images import middle
from .inputs import check_image, check_pair
from .packed import INDEX, Plan, Record, is_packed, read_plan, read_record, shard_file
from .processes import SPAWN, cores, follow_parent
from .transforms import to_channels

SIDE, SHARD_IMAGES = 256, 512
Shard = tuple[str, int]  # a split, and the shard's number in it


@dataclass(frozen=True)
class _Work:
    """What every process needs."""

    root: Path
    plan: Plan
    datasets: Mapping[str, Dataset]
    stop: Any  # an event: end after the image in hand


def pack(
    datasets: Mapping[str, Dataset],
    out: str | os.PathLike,
    *,
    side: int = SIDE,
    channels: int = 3,
    shard_images: int = SHARD_IMAGES,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """Pack data sets by split ("train", "test") into the folder ``out``, or go on with it.

    Every image becomes uint8 (side, side, channels): its shorter side is resized to ``side``, and
    the middle is kept. Images that cannot be read are left out, and named in the shard's record.
    ``progress`` is called with the shards done and their total. ``processes`` (default: the cores)
    decode at the same time; 1 decodes in this one.

    Raises OptionError for a bad option; DataError, before anything is written, when ``out`` holds
    something else or has no space, and when a process was killed or no image of a split is left;
    RunError for what cannot be written.
    """
    root = Path(out)
    options = (integer(side, "pack: side", 1), _channels(channels))
    plan = _plan(datasets, *options, integer(shard_images, "pack: shard_images", 1))
    at_once = cores() if processes is None else integer(processes, "pack: processes", 1)
    missing = _prepare(root, plan, datasets)
    total = sum(plan.shards.values())
    done = total - len(missing)
    work = _Work(root, plan, datasets, SPAWN.Event())
    for _ in _make(work, missing, min(at_once, len(missing))):
        done += 1
        if progress is not None:
            progress(done, total)
    for split, count in plan.shards.items():
        records = (read_record(plan, shard_file(root, split, n)) for n in range(count))
        if not any(record.labels for record in records):
            raise DataError(f"pack: no image of {split} in {plan.name} can be read; replace them")
    replace_file(root / INDEX, plan.dumps(True).encode())
    return plan


def _channels(channels: int) -> int:
    if channels not in (1, 3):
        raise OptionError(f"pack: channels must be 1 (grey) or 3 (colour), got {channels!r}")
    return channels


def _plan(datasets: Mapping[str, Dataset], side: int, channels: int, shard_images: int) -> Plan:
    first = next(iter(datasets.values()), None)
    if first is None or not all(len(dataset) for dataset in datasets.values()):
        raise DataError("pack: there are no samples in a split; give each at least one")
    source = hashlib.sha256()
    for split, dataset in datasets.items():
        place = getattr(dataset, "place", lambda index: "")
        labels = np.asarray(getattr(dataset, "labels", ()))
        source.update(f"{split} {len(dataset)}\n".encode() + labels.tobytes())
        for index in range(len(dataset)):
            known = place(index)
            source.update(os.fsencode(os.path.abspath(known) if known else "") + b"\n")
    shards = {split: -(-len(dataset) // shard_images) for split, dataset in datasets.items()}
    sizes = (side, channels, shard_images)
    return Plan(title(first), tuple(first.classes), *sizes, shards, source.hexdigest())


def _prepare(root: Path, plan: Plan, datasets: Mapping[str, Dataset]) -> list[Shard]:
    """Claim the folder; the shards that are not whole in it."""
    if is_packed(root):
        if read_plan(root)[0] != plan:
            raise DataError(
                f"{root}: holds another packing: of other images, sizes or classes; choose "
                "another folder, or remove it"
            )
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root}: is no packed folder and not empty; choose another folder")
    missing = [
        (split, number)
        for split, count in plan.shards.items()
        for number in range(count)
        if not _whole(plan, shard_file(root, split, number))
    ]
    images = sum(len(_samples(plan, datasets[split], number)) for split, number in missing)
    _check_space(root, images * plan.image_bytes)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(root, error) from None
    replace_file(root / INDEX, plan.dumps(not missing).encode())
    return missing


def _whole(plan: Plan, shard: Path) -> bool:
    try:
        read_record(plan, shard)
    except DataError:
        return False
    return True


def _samples(plan: Plan, dataset: Dataset, number: int) -> range:
    """The samples of a shard."""
    start = number * plan.shard_images
    return range(start, min(start + plan.shard_images, len(dataset)))


def _check_space(root: Path, needed: int) -> None:
    folders = (root.absolute(), *root.absolute().parents)
    place = next(folder for folder in folders if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise DataError(
            f"{root}: packing takes up to {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "make room, choose another disk, or a smaller side"
        )


def _make(work: _Work, missing: list[Shard], processes: int) -> Iterator[None]:
    if processes <= 1:
        for shard in missing:
            _write_shard(work, shard)
            yield
        return
    pool = ProcessPoolExecutor(processes, SPAWN, _begin, (work,))
    try:
        for future in as_completed([pool.submit(_in_process, shard) for shard in missing]):
            yield future.result()
    except BrokenProcessPool:
        raise DataError(
            f"{work.root}: a packing process was killed (out of memory?); the same command goes "
            "on with the shards that are missing, --processes 1 takes the least memory"
        ) from None
    finally:
        work.stop.set()
        pool.shutdown(cancel_futures=True)


_mine: list[_Work] = []  # of a packing process


def _begin(work: _Work) -> None:
    follow_parent()
    _mine.append(work)


def _in_process(shard: Shard) -> None:
    _write_shard(_mine[0], shard)


def _write_shard(work: _Work, shard: Shard) -> None:
    """The images first, then the record that says they are whole."""
    split, number = shard
    path, plan = shard_file(work.root, split, number), work.plan
    dataset = work.datasets[split]
    record = Record((), (), ())
    temporary = path.with_name(path.name + ".tmp")
    try:
        with suppress(FileNotFoundError):
            path.with_suffix(".json").unlink()
        with open(temporary, "wb") as file:
            for index in _samples(plan, dataset, number):
                if work.stop.is_set():
                    return
                record = _add(record, dataset, index, plan, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    replace_file(path.with_suffix(".json"), json.dumps(asdict(record)).encode())


def _add(record: Record, dataset: Dataset, index: int, plan: Plan, file: Any) -> Record:
    name = title(dataset)
    try:
        image, label = check_pair(name, index, dataset[index])
        image = middle(check_image(name, index, image), plan.side, plan.side, plan.side)
        content = to_channels(image, plan.channels).tobytes()
    except DataError as error:
        return Record(record.labels, record.crc32, (*record.bad, str(error)))
    file.write(content)
    return Record((*record.labels, label), (*record.crc32, zlib.crc32(content)), record.bad)
