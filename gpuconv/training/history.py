"""What run folders tell of trainings: how they went, and what has become of them."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RunError
from .checkpoint import METRICS, SETTINGS, Run
from .claim import holder

STATES = {"done": "finished", "interrupted": "stopped", "failed": "broken", "running": "killed"}
RUNNING, DAMAGED = "running", "damaged"


@dataclass
class History:
    """Curves as (step, value), steps from 1: ``loss`` and ``lr`` of every step, test figures."""

    loss: list[tuple[int, float]] = field(default_factory=list)
    lr: list[tuple[int, float]] = field(default_factory=list)
    test_loss: list[tuple[int, float]] = field(default_factory=list)
    test_accuracy: list[tuple[int, float]] = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        """Take in a line of metrics.jsonl; raises KeyError, TypeError or ValueError for others."""
        for name, curve in vars(self).items():
            if name in record:
                curve.append((int(record["step"]), float(record[name])))


def history(run: Run) -> History:
    """How a run went so far; a last line that a kill cut short is left out.

    Raises RunError for metrics that cannot be read.
    """
    path, made = run.folder / METRICS, History()
    try:
        lines = path.read_text().splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    for number, line in enumerate(lines, 1):
        try:
            made.add(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            if number < len(lines):
                raise RunError(f"{path}: line {number} cannot be read ({error!r})") from None
    final = run.info.get("final", {})
    if {"steps", "test_accuracy", "test_loss"} <= set(final):
        last = {"step": final["steps"], **{k: final[k] for k in ("test_loss", "test_accuracy")}}
        if (last["step"], last["test_accuracy"]) not in made.test_accuracy[-1:]:
            made.add(last)
    return made


@dataclass(frozen=True)
class Entry:
    """A run folder in a list.

    ``state`` is finished, stopped (by Ctrl-C), broken (by an error), killed (it ended without a
    word), running (process ``pid``) or damaged; ``error`` says why where there is a reason.
    ``epochs_done`` are whole ones of ``epochs``; ``best_accuracy`` is on test images.
    """

    folder: str
    state: str
    model: str = ""
    data: str = ""
    epochs_done: int | None = None
    epochs: int | None = None
    steps: int = 0
    best_accuracy: float | None = None
    started: str = ""
    seconds: float | None = None
    pid: int | None = None
    error: str = ""


def entries(root: str | os.PathLike) -> list[Entry]:
    """Every run folder directly in ``root``, or ``root`` itself where it is one, the oldest first.

    Raises RunError if there is no such folder.
    """
    path = Path(root)
    if (path / SETTINGS).exists():
        return [entry(path)]
    try:
        folders = sorted(p for p in path.iterdir() if (p / SETTINGS).exists())
    except OSError as error:
        raise RunError(f"{path}: cannot be listed ({error.strerror}); give a folder") from None
    return sorted(map(entry, folders), key=lambda found: found.started)


def entry(folder: Path) -> Entry:
    """What a run folder tells; one that cannot be read is damaged, and says why."""
    try:
        run = Run.open(folder)
        went = history(run)
        return _entry(run, went, holder(folder))
    except RunError as error:
        return Entry(str(folder), DAMAGED, error=str(error))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return Entry(str(folder), DAMAGED, error=f"{folder / SETTINGS}: not as written ({error!r})")


def _entry(run: Run, went: History, pid: int | None) -> Entry:
    info, settings = run.info, run.info.get("settings", {})
    status = STATES.get(info.get("status", ""), DAMAGED)
    steps = max((step for step, _ in (*went.loss[-1:], *went.test_accuracy[-1:])), default=0)
    images, batch = info.get("images"), settings.get("batch_size")
    return Entry(
        str(run.folder),
        status if pid is None else RUNNING,
        info["model"]["name"],
        str(info["data"]),
        steps // -(-images // batch) if images and batch else None,
        settings.get("epochs"),
        steps,
        max((value for _, value in went.test_accuracy), default=None),
        info.get("started", ""),
        info.get("seconds"),
        pid or None,
        info.get("error", ""),
    )
