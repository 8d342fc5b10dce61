"""Figures that were kept: a JSON line for each, and what changed since."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import log, nan
from pathlib import Path
from statistics import median
from typing import Any

from gpuconv.errors import DataError

from .figures import MEASURED, Row
from .measure import Timing
from .suite import Result

QUIET = ("same", "within noise")
CHANGE = 0.03  # of a median: less is not worth a word, however sure it is
ENOUGH, ENOUGH_RUNS = 5, 3  # figures, and earlier runs, that tell how runs differ
NORMAL = 1.4826  # times the median distance is a normal distribution's standard deviation
KEPT = ("case", "op", "problem", "batch", "name", "is_peer", "state", "note", "is_chosen", "ratio",
        "workspace", "error", "roofline", "suite", "peak")  # fmt: skip
Line = dict[str, Any]


def lines(result: Result, rows: Iterable[Row]) -> list[Line]:
    """A figure for each row: when, on what, of which commit, what was timed, and its seconds."""
    here = result.environment
    about = {"date": here["date"], "commit": commit(), "command": result.command}
    about |= {"device": result.device, "cpu": here["cpu"], "threads": here["threads"]}
    about |= {"versions": here["versions"], "ceilings": asdict(result.roof)}
    return [about | _figure(row) for row in rows]


def _figure(row: Row) -> Line:
    found = {name: getattr(row, name) for name in KEPT}
    return found | (asdict(row.timing) if row.timing else {})


@cache
def commit() -> str | None:
    """The commit of the checkout that this package lies in, or None."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    folder = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def path(result: Result, folder: Path) -> Path:
    """The folder's file for this machine; makes the folder."""
    here = result.environment
    machine = here["cpu"] if result.device == "cpu" else result.device
    words = f"{machine} {here['simd']} {here['threads']} threads".lower()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"bench-{re.sub(r'[^a-z0-9]+', '-', words)}.jsonl"


def add(path: Path, result: Result, rows: Iterable[Row]) -> None:
    """Add some figures of a run to the file: what is there stays, however the run ends."""
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines(result, rows))


def save(result: Result, folder: Path) -> Path:
    """Add all figures of a run to the folder's file for this machine; returns the file."""
    file = path(result, folder)
    add(file, result, result.rows)
    return file


def load(path: Path) -> list[Line]:
    """Every figure of a file; raises DataError naming the line that is none."""
    if not path.is_file():
        raise DataError(f"bench: {path} is no file; gpuconv bench --save makes one and names it")
    found = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            line = json.loads(text)
            _key(line)
            line["date"], line["cpu"], line["threads"]
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path}:{number}: is no figure of gpuconv bench --save") from None
        found.append(line)
    if not found:
        raise DataError(f"bench: {path} holds no figures")
    return found


def _key(line: Line) -> tuple[str, str, str]:
    return line["op"], line["problem"], line["name"]


def runs(kept: Iterable[Line]) -> dict[str, list[Line]]:
    """The figures of each run by its date, oldest first."""
    found: dict[str, list[Line]] = {}
    for line in kept:
        found.setdefault(line["date"], []).append(line)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Change:
    """A figure now and then; ``factor`` above 1 is slower, ``verdict`` says whether it is sure."""

    row: Row
    factor: float
    verdict: str


def compare(rows: Iterable[Row], kept: list[Line]) -> list[Change]:
    """What changed since the last run that timed the same, and whether that is more than noise.

    Noise is half of each run's quartile distance, or how runs differ among each other, whichever is
    more: the spread of the medians of earlier runs of the same, or, without three of those, of all
    that this comparison holds, the change that all share taken off. Faster or slower: a change by
    more than twice that and than 3 %; perhaps: by more than once.
    """
    before: dict[tuple, list[Line]] = {}
    for line in filter(is_measured, kept):
        before.setdefault(_key(line), []).append(line)
    pairs = [(row, before.get((row.op, row.problem, row.name), [])) for row in rows]
    found = [(row, lines) for row, lines in pairs if row.timing is not None and lines]
    factors = [_median(row.timing) / lines[-1]["median"] for row, lines in found]
    shared = _spread(factors) if len(factors) >= ENOUGH else 0.0
    return [
        Change(
            row,
            factor,
            _verdict(factor, max(_within(row.timing, lines[-1]), _among(lines, shared))),
        )
        for (row, lines), factor in zip(found, factors, strict=True)
    ]


def _median(timing: Timing | None) -> float:
    return timing.median if timing else nan


def _within(now: Any, then: Line) -> float:
    """Half of both runs' quartile distances, over their medians; without them, of the range."""
    kept: dict[str, Any] = {f.name: then.get(f.name) for f in fields(Timing)}
    was = Timing(**kept)
    return sum(_distance(timing) / timing.median for timing in (now, was)) / 2


def _distance(timing: Timing) -> float:
    if timing.low is None or timing.high is None:
        return (timing.longest - timing.shortest) / 2
    return timing.high - timing.low


def _among(lines: list[Line], shared: float) -> float:
    """How runs differ: the earlier ones' medians where there are enough, else ``shared``."""
    medians = [line["median"] for line in lines]
    return _spread(medians) if len(medians) >= ENOUGH_RUNS else shared


def _spread(values: list[float]) -> float:
    """The median distance of logarithms from their median, as a standard deviation."""
    logs = [log(value) for value in values]
    middle = median(logs)
    return NORMAL * median(abs(value - middle) for value in logs)


def _verdict(factor: float, noise: float) -> str:
    size, word = abs(log(factor)), "slower" if factor > 1 else "faster"
    if size <= log(1 + CHANGE):
        return "same"
    if size <= noise:
        return "within noise"
    return word if size > 2 * noise else f"perhaps {word}"


def drift(changes: list[Change]) -> float | None:
    """By how much everything changed alike, which is the machine's doing: the median factor."""
    return median(change.factor for change in changes) if len(changes) > 2 else None


def differences(result: Result, kept: list[Line]) -> list[str]:
    """What is not as it was in the kept run's surroundings, a line each."""
    then, here = kept[-1], result.environment
    pairs = [(name, then[name], here[name]) for name in ("cpu", "threads")]
    versions = then.get("versions", {})
    pairs += [(name, versions.get(name), found) for name, found in here["versions"].items()]
    return [f"{name}: {was} then, {now} now" for name, was, now in pairs if was != now]


def is_measured(line: Line) -> bool:
    """Whether a kept figure has a time."""
    return line["state"] == MEASURED and line.get("median") is not None
