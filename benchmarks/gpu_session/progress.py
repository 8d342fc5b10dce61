"""Rows on disk: written as they come, read again to go on where a session stopped."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gpuconv.errors import GpuconvError

Key = tuple[str, str]
LATER = "out of time"  # the reason of a row that the next session does
LONGEST = 4000  # characters of a text in a row


def read(path: Path) -> dict[Key, dict[str, Any]]:
    """The last row of every item; what is no row, as a cut-off session leaves it, is left out."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    rows = filter(None, map(_row, lines))
    return {(row["step"], row["key"]): row for row in rows}


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    named = isinstance(row, dict) and all(isinstance(row.get(k), str) for k in ("step", "key"))
    return row if named else None


def append(path: Path, **row: Any) -> None:
    """Write a row; it is kept whatever becomes of this process when this returns."""
    short = {k: v[:LONGEST] if isinstance(v, str) else v for k, v in row.items()}
    line = json.dumps({**short, "at": time.time()}, default=str)
    with path.open("ab+") as file:
        file.write(b"" if _whole(file) else b"\n")  # a half-written line must not take this along
        file.write(line.encode() + b"\n")


def _whole(file: Any) -> bool:
    if not file.seek(0, 2):
        return True
    file.seek(-1, 2)
    return file.read(1) == b"\n"


def state(row: dict[str, Any] | None) -> str:
    """ "done", "open", or "begun" where an item was begun and never came to an end."""
    if row is None or row.get("reason") == LATER:
        return "open"
    return "begun" if "begun" in row else "done"


def settle(path: Path) -> None:
    """Give what an earlier session left begun a second try; what ended two sessions, an error."""
    for (step, key), row in read(path).items():
        if state(row) == "begun":
            times = _count(row) + 1
            told = {"reason": LATER} if times < 2 else {"error": f"{times} sessions ended in it"}
            append(path, step=step, key=key, interrupted=times, **told)


def _count(row: dict[str, Any] | None) -> int:
    count = (row or {}).get("interrupted", 0)
    return count if isinstance(count, int) else 0


def begin(path: Path, step: str, key: str, limit: float, process: int) -> None:
    """Note that an item is begun, by which process, and how many sessions have ended in it."""
    times = _count(read(path).get((step, key)))
    append(
        path, step=step, key=key, begun=time.time(), limit=limit, process=process, interrupted=times
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else writes these rows meanwhile; raises GpuconvError where somebody does."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = f"{path}: another session writes to it; wait, or use another --out"
            raise GpuconvError(told) from None
        yield
