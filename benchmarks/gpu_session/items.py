"""What a session is made of: items that run one by one, each on its own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpuconv.device import Device
from gpuconv.errors import GpuconvError


class Unavailable(GpuconvError):
    """An item that cannot run here; the message says why."""


@dataclass(frozen=True)
class Item:
    """One piece of work: a row of results. ``limit`` in seconds: after it, the item is killed.

    ``always``: every session does it, for what it makes does not outlive a machine.
    """

    step: str
    key: str
    run: Callable[[], dict[str, Any]]
    limit: float = 120.0
    always: bool = False


@dataclass(frozen=True)
class Session:
    """Where a session runs and writes; ``stem`` begins the name of each of its files."""

    device: Device
    out: Path
    stem: str

    @property
    def rehearsal(self) -> bool:
        """Off a GPU everything is small: it shows that the session works, and no speed."""
        return self.device.kind != "cuda"

    @property
    def files(self) -> list[Path]:
        """All that a session may leave."""
        return [
            self.rows,
            *(self.file(f"-{n}") for n in ("summary.md", "tests.log", "sanitizer.log")),
        ]

    def file(self, suffix: str) -> Path:
        """One of the session's files."""
        return self.out / f"{self.stem}{suffix}"

    @property
    def rows(self) -> Path:
        """The file of rows, one JSON object a line."""
        return self.file(".jsonl")
