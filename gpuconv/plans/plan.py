"""Plan: which kernel is the fastest for a problem, as it was measured on one machine or several."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from .. import machine
from ..device import Device
from ..problem import Problem

_log = logging.getLogger("gpuconv")
_said: set[str] = set()


@dataclass(frozen=True)
class Entry:
    """The kernel for a problem by its full name, and the seconds of all that were timed."""

    kernel: str
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """What was found on one machine: entries by ``key``."""

    device: Mapping[str, Any]
    versions: Mapping[str, str]
    entries: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Equal for sections of the same device and versions."""
        return json.dumps([self.device, self.versions], sort_keys=True)


def key(op: str, problem: Problem) -> str:
    """The op's name and every field of a problem that is not at its default, as ``name=value``."""
    words, common = [op], {known.name for known in fields(Problem)}
    for known in sorted(fields(problem), key=lambda known: known.name in common):  # sizes first
        value, default = getattr(problem, known.name), known.default
        if known.name == "precision":
            default = "fp64" if problem.dtype == "float64" else "fp32"
        if default is MISSING or value != default:
            words.append(f"{known.name}={value}".replace(" ", ""))
    return " ".join(words)


def here(device: Device) -> Section:
    """An empty section of this device and these versions."""
    return Section(machine.identity(device), machine.versions(device.kind))


class Plan:
    """Kernels by problem, for one machine or several; it does not change once it is made.

    ``where`` is the file that it was read from: lines about it begin with that. ``behind`` is a
    plan that answers what this one does not say, and about which no line is said. ``is_usual``: it
    was not asked for, so that nothing is said of a kind of device that it has not.
    """

    def __init__(
        self,
        sections: Iterable[Section] = (),
        where: str = "",
        behind: "Plan | None" = None,
        *,
        is_usual: bool = False,
    ) -> None:
        self.where, self.behind, self.is_usual = where, behind, is_usual
        self._sections = {section.place: section for section in sections}

    @property
    def sections(self) -> list[Section]:
        """One for each device and versions."""
        return list(self._sections.values())

    def entry(self, op: str, problem: Problem, device: Device) -> Entry | None:
        """What was found for a problem on this device with these versions, or None.

        Says once why nothing was, where the plan is for another device or other versions.
        """
        if not self._sections and self.behind is None:
            return None
        entries = self.entries(device, tell=True)
        return entries.get(key(op, problem))

    def kernel(
        self, op: str, problem: Problem, device: Device, fault: Callable[[str], str | None]
    ) -> str | None:
        """The kernel for a problem by its full name; None if there is none or it has a fault."""
        entry = self.entry(op, problem, device)
        if entry is None:
            return None
        if (reason := fault(entry.kernel)) is not None:
            self.say(f"{op}: {entry.kernel} is passed over: {reason}")
            return None
        return entry.kernel

    def entries(self, device: Device, tell: bool = False) -> Mapping[str, Entry]:
        """All that was found on this device with these versions, by ``key``."""
        now = here(device)
        found = self._sections.get(now.place)
        if tell and found is None and self._concerns(device):
            self.say(f"ignored: {self._misfit(now)}; gpuconv tune measures here")
        mine = found.entries if found else {}
        return mine if self.behind is None else {**self.behind.entries(device), **mine}

    def _concerns(self, device: Device) -> bool:
        """Whether somebody expects an answer for this device."""
        kinds = {section.device.get("kind") for section in self.sections}
        return device.kind in kinds or bool(kinds and not self.is_usual)

    def _misfit(self, now: Section) -> str:
        same = [section for section in self.sections if section.device == now.device]
        if not same:
            others = dict.fromkeys(_words(section.device) for section in self.sections)
            return f"made for {' and '.join(others)}, not for {_words(now.device)}"
        was = dict(same[-1].versions)
        names = [n for n in {**was, **now.versions} if was.get(n) != now.versions.get(n)]
        pairs = (f"{name} {was.get(name)} (here {now.versions.get(name)})" for name in names)
        return "made with " + ", ".join(pairs)

    def say(self, line: str) -> None:
        """A warning in the log of "gpuconv", which is stderr unless told otherwise; once."""
        text = " ".join(f"{self.where or 'plan'}: {line}".split())
        if text not in _said:
            _said.add(text)
            _log.warning(text)

    def having(self, device: Device, entries: Mapping[str, Entry]) -> "Plan":
        """The plan with these entries for this device and these versions.

        Others that were made with them stay; those for the same device with other versions go.
        """
        now = here(device)
        kept = self._sections[now.place].entries if now.place in self._sections else {}
        made = Section(now.device, now.versions, {**kept, **entries})
        return Plan([*(s for s in self.sections if s.device != now.device), made], self.where)

    def merged(self, other: "Plan") -> "Plan":
        """The sections of both plans; where both name a kernel for a problem, the other's."""
        found = dict(self._sections)
        for section in other.sections:
            mine = found.get(section.place, section)
            entries = {**mine.entries, **section.entries}
            found[section.place] = Section(section.device, section.versions, entries)
        return Plan(found.values(), other.where or self.where, self.behind)

    def copy(self) -> "Plan":
        """An equal plan that is another object, so that limits with it are others."""
        return Plan(self.sections, self.where, self.behind, is_usual=self.is_usual)

    def adopted(self, device: Device) -> "Plan":
        """Its kernels for devices of this kind, as if they had been found here.

        For the plan of a run, which says what was taken and not what is fastest.
        """
        mine = [s.entries for s in self.sections if s.device.get("kind") == device.kind]
        entries = {name: entry for found in mine for name, entry in found.items()}
        return Plan(where=self.where).having(device, entries)


def _words(facts: Mapping[str, Any]) -> str:
    return " ".join(f"{facts[n]} {n}" if n == "threads" else str(facts[n]) for n in facts)
