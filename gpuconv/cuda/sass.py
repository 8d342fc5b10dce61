"""A cubin's machine code: how much of a kernel's main loop is arithmetic, how wide it loads.

Needs nvdisasm (the package nvidia-cuda-nvdisasm).
"""

import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from ..errors import KernelError

PACKAGE = "nvidia-cuda-nvdisasm"
_ENTRY = re.compile(r"^\.text\.(\w+):$")
_LABEL = re.compile(r"^(\.L_x_\d+):$")
_INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?);")
_TARGET = re.compile(r"`\((\.L_x_\d+)\)")
_MATH = ("FFMA", "DFMA", "HMMA", "HGMMA")
_LOADS = re.compile(r"(LDGSTS|LDG|LDS)(\.|\s|$)")


@dataclass(frozen=True)
class Loop:
    """The loop with the most multiply-adds: instructions, and loads by width ("LDG.128")."""

    instructions: int
    math: int
    loads: dict[str, int]

    @property
    def share(self) -> float:
        """Share of the issue slots that multiply-adds take."""
        return self.math / self.instructions


@cache
def nvdisasm() -> Path | None:
    """The disassembler, or None where its package is not installed."""
    try:
        found = [f for f in files(PACKAGE) or [] if f.name == "nvdisasm"]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())) if found else None


def main_loops(cubin: bytes) -> dict[str, Loop | None]:
    """The main loop of every entry; None where no loop multiplies and adds.

    Raises KernelError where there is no nvdisasm.
    """
    tool = nvdisasm()
    if tool is None:
        raise KernelError(f"nvdisasm is not here; install the package {PACKAGE}")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([tool, "-c", file.name], check=True, capture_output=True, text=True)
    return {entry: _main_loop(lines) for entry, lines in _entries(text.stdout).items()}


def _entries(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        entry = _ENTRY.match(line)
        if entry:
            lines = found.setdefault(entry[1], [])
        lines.append(line)
    return found


def _main_loop(lines: list[str]) -> Loop | None:
    """Of the innermost loops that multiply and add, the one that does so most."""
    bodies = [_instructions(lines[begin:end]) for begin, end in _loops(lines)]
    made = [_loop(body) for body in bodies]
    return max((loop for loop in made if loop.math), key=lambda loop: loop.math, default=None)


def _loops(lines: list[str]) -> list[tuple[int, int]]:
    """Line ranges from a label to a branch back to it; those without such a range inside."""
    labels: dict[str, int] = {}
    ranges = []
    for number, line in enumerate(lines):
        label, target = _LABEL.match(line), _TARGET.search(line)
        if label:
            labels[label[1]] = number
        elif target and "BRA" in line and target[1] in labels:
            ranges.append((labels[target[1]], number + 1))
    math = [r for r in ranges if _loop(_instructions(lines[r[0] : r[1]])).math]
    return [r for r in math if not any(s != r and r[0] <= s[0] and s[1] <= r[1] for s in math)]


def _instructions(lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := _INSTRUCTION.search(line))]


def _loop(instructions: list[str]) -> Loop:
    loads = Counter(_load(i) for i in instructions if _LOADS.match(i))
    math = sum(i.startswith(_MATH) for i in instructions)
    return Loop(len(instructions), math, dict(sorted(loads.items())))


def _load(instruction: str) -> str:
    """ "LDG.E.128.CONSTANT" as "LDG.128"; 32 bits where it names no width."""
    parts = instruction.split(".")
    width = next((p for p in parts if p in ("128", "64")), "32")
    return f"{parts[0]}.{width}"
