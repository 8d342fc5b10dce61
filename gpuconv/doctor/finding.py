"""A finding: one part of the machine, how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "missing", "error"]


@dataclass(frozen=True)
class Finding:
    """One part of the machine: ``error`` is here but of no use, ``warning`` works with a flaw.

    ``text`` and ``remedy`` are one line each; the remedy is empty where all is well.
    """

    name: str
    state: State
    text: str
    remedy: str = ""

    @property
    def usable(self) -> bool:
        """Does it work, be it with a flaw?"""
        return self.state in ("ok", "warning")
