"""Figures that were kept: a JSON line for each, and what changed since."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from gpuconv.errors import DataError

from .figures import MEASURED, Row
from .suite import Result

QUIET = ("same", "within noise")
CHANGE = 0.05  # of a median: less is not worth a word, however sure it is
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
    """What changed since the last run that timed the same; noise is what overlaps.

    Slower or faster: every sample now lies on one side of every sample then, and the medians differ
    by 5 % or more. Perhaps: each median lies outside the other's samples.
    """
    before = {_key(line): line for line in kept if line.get("median")}
    found = []
    for row in rows:
        line = before.get((row.op, row.problem, row.name))
        if row.timing is not None and line is not None:
            now, then = row.timing, line
            factor = now.median / then["median"]
            found.append(Change(row, factor, _verdict(now, then, factor)))
    return found


def _verdict(now: Any, then: Line, factor: float) -> str:
    word = "slower" if factor > 1 else "faster"
    if abs(factor - 1) < CHANGE:
        return "same"
    if now.shortest > then["longest"] or now.longest < then["shortest"]:
        return word
    within = now.shortest <= then["median"] <= now.longest
    return "within noise" if within or then["shortest"] <= now.median <= then["longest"] else (
        f"perhaps {word}"
    )  # fmt: skip


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
