"""Rows on disk: written as they come, read again to go on where a session stopped."""

import json
from pathlib import Path
from typing import Any

Key = tuple[str, str]
LATER = "out of time"  # the reason of a row that the next session does


def read(path: Path) -> dict[Key, dict[str, Any]]:
    """The last row of every item; a half-written line, as a cut-off session leaves it, is none."""
    found: dict[Key, dict[str, Any]] = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            found[row["step"], row["key"]] = row
        except (json.JSONDecodeError, KeyError):
            continue
    return found


def append(path: Path, **row: Any) -> None:
    """Write a row, on disk when this returns."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()


def state(row: dict[str, Any] | None) -> str:
    """ "done", "open", or "begun" where an item was begun and never came to an end."""
    if row is None or row.get("reason") == LATER:
        return "open"
    return "begun" if "begun" in row else "done"
