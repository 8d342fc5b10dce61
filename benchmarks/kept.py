"""What benchmarks/results/ holds of whole nets and of training runs, oldest first.

``*.json`` are of ``python -m gpuconv.benchmarks.cpu_vs_peers`` ("nets") and of
``python -m gpuconv.benchmarks.first_run`` ("runs"); ``*.jsonl`` are of ``gpuconv bench --save``, of
which lines of the suites "nets" and "memory" count here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gpuconv.errors import DataError

from .cpu_vs_peers.nets import BASELINE, OURS, TORCH
from .history import Line, is_measured, load

FOLDER = Path(__file__).with_name("results")
T = TypeVar("T")
SUITES, MEMORY = ("nets", "memory"), "memory of "
SHOWN = ("numpy", "torch", "onnxruntime")  # of the versions


@dataclass(frozen=True)
class Place:
    """Where and when figures were made, and the file that has them."""

    date: str
    machine: str
    versions: dict[str, str]
    source: str


@dataclass(frozen=True)
class Rival:
    """A peer's median seconds, and how many times as long as ours that is."""

    seconds: float
    ratio: float


@dataclass(frozen=True)
class Net:
    """A work of whole nets: median seconds, rivals by their names, the most bytes held."""

    work: str
    place: Place
    seconds: float
    rivals: dict[str, Rival]
    peaks: dict[str, int]

    @property
    def torch(self) -> Rival | None:
        """PyTorch in the better of its two memory formats."""
        found = [self.rivals[name] for name in TORCH if name in self.rivals]
        return min(found, key=lambda rival: rival.ratio, default=None)

    @property
    def onnxruntime(self) -> Rival | None:
        """None for training."""
        return self.rivals.get("onnxruntime")

    @property
    def numpy(self) -> Rival | None:
        """The same net on NumPy's kernels."""
        return self.rivals.get(BASELINE)

    @property
    def peak(self) -> int | None:
        """Bytes that a process of ours held at most."""
        return self.peaks.get(OURS)

    @property
    def torch_peak(self) -> int | None:
        """Bytes of PyTorch's better format."""
        return min((self.peaks[name] for name in TORCH if self.peaks.get(name)), default=None)


@dataclass(frozen=True)
class Run:
    """A training run: its command, its test accuracy, and seconds with kernels kept and without."""

    place: Place
    model: str
    parameters: int
    images: int
    test_images: int
    command: str
    accuracy: float
    seconds: float
    first_seconds: float


def nets(folder: Path) -> list[Net]:
    """Every work of every file, oldest first; of the same date by the names of their files."""
    found = list(_made(folder, "nets", _net))
    for path in sorted(folder.glob("*.jsonl")):
        found += _of_lines([line for line in load(path) if line.get("suite") in SUITES], path)
    return sorted(found, key=lambda net: (net.place.date, net.place.source))


def runs(folder: Path) -> list[Run]:
    """Every training run, oldest first."""
    found = _made(folder, "runs", lambda row, place: Run(place, **row))
    return sorted(found, key=lambda run: (run.place.date, run.place.source))


def _made(folder: Path, part: str, make: Callable[[dict[str, Any], Place], T]) -> Iterator[T]:
    """What the part of every JSON file that has one holds; DataError names a broken file."""
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get(part):
                place = _place(content["machine"], content["machine"]["date"], path)
                yield from [make(row, place) for row in content[part]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no figures can be read from it ({error!r})") from None


def _place(here: dict[str, Any], date: str, path: Path) -> Place:
    words = (here["cpu"], here.get("simd"), f"{here['threads']} threads for each")
    versions = {name: found for name, found in here["versions"].items() if name in SHOWN}
    return Place(date, ", ".join(filter(None, words)), versions, path.name)


def _net(row: dict[str, Any], place: Place) -> Net:
    seconds = {name: timing["median"] for name, timing in row["seconds"].items()}
    rivals = {
        name: Rival(seconds[name], ratio)
        for name, ratio in row["ratios"].items()
        if name in seconds
    }
    peaks = {name: size for name, size in row.get("peak_bytes", {}).items() if size}
    return Net(row["work"], place, seconds[OURS], rivals, peaks)


def _of_lines(lines: list[Line], path: Path) -> Iterator[Net]:
    """Lines of one run and one work are one net; memory stands in lines of its own."""
    works: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        way = line["op"].removeprefix(MEMORY)
        work = f"{line['case']}, {way}, batch {line['batch']}"
        works.setdefault((line["date"], work), []).append(line)
    for (date, work), found in works.items():
        timed = {f["name"]: f for f in found if f["suite"] == "nets" and is_measured(f)}
        if OURS in timed:
            rivals = {n: Rival(f["median"], f["ratio"]) for n, f in timed.items() if n != OURS}
            peaks = {f["name"]: f["peak"] for f in found if f.get("peak")}
            place = _place(found[0], date, path)
            yield Net(work, place, timed[OURS]["median"], rivals, peaks)
