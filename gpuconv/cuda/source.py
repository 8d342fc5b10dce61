"""A .cu file: its text, the headers it includes, its entries and their parameters."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import KernelError
from .launch import Function

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_ENTRY = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)'
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of an entry: its name and C++ type; ``pointer`` types lose their star."""

    name: str
    type: str
    pointer: bool
    const: bool


class Source:
    """The ``.cu`` beside a launcher: ``Source(__file__)`` has the launcher's stem.

    Headers are looked for beside the file, in its parent folder, and among gpuconv's kernels
    (``common.cuh``). Raises KernelError if the file is not there.
    """

    def __init__(self, file: str | Path) -> None:
        self.path = Path(file).with_suffix(".cu")
        self.include = (self.path.parent, self.path.parent.parent, _kernels())
        self._functions: dict[tuple, Function] = {}

    @cached_property
    def text(self) -> str:
        """The file's text."""
        try:
            return self.path.read_text()
        except OSError as error:
            raise KernelError(f"{self.path}: cannot be read ({error.strerror})") from None

    @cached_property
    def headers(self) -> dict[str, Path]:
        """Every header that is included, directly or not, by the name it is included under."""
        found: dict[str, Path] = {}
        waiting = [self.text]
        while waiting:
            for name in _INCLUDE.findall(waiting.pop()):
                path = next((f / name for f in self.include if (f / name).is_file()), None)
                if path is not None and name not in found:
                    found[name] = path
                    waiting.append(path.read_text())
        return found

    @cached_property
    def digest(self) -> str:
        """A hash of the text and of every header."""
        parts = [self.text, *(path.read_text() for _, path in sorted(self.headers.items()))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @cached_property
    def entries(self) -> dict[str, tuple[Parameter, ...]]:
        """The ``extern "C" __global__`` functions and their parameters."""
        plain = re.sub(r"//[^\n]*|/\*.*?\*/", " ", self.text, flags=re.DOTALL)
        return {
            name: tuple(_parameter(p) for p in parameters.split(",") if p.strip())
            for name, parameters in _ENTRY.findall(plain)
        }

    @property
    def functions(self) -> list[Function]:
        """Every entry that was asked for, with its macros."""
        return list(self._functions.values())

    def function(self, entry: str, **defines: Any) -> Function:
        """An entry compiled with these macros (``REAL="float"``); raises KernelError if unknown."""
        key = (entry, *sorted(defines.items()))
        if key not in self._functions:
            if entry not in self.entries:
                known = ", ".join(self.entries) or "none"
                raise KernelError(f"{self.path.name}: no entry {entry!r}; it has {known}")
            macros = {name: str(value) for name, value in sorted(defines.items())}
            self._functions[key] = Function(self, entry, macros)
        return self._functions[key]


def _kernels() -> Path:
    """The folder of gpuconv's own kernels, in a checkout or installed."""
    spec = find_spec("gpuconv.kernels")
    places = (spec.submodule_search_locations if spec else None) or ["."]
    return Path(next(iter(places)))


def _parameter(text: str) -> Parameter:
    words = re.sub(r"__restrict__|\*", lambda m: " * " if m[0] == "*" else " ", text).split()
    name, kind = words[-1], [w for w in words[:-1] if w not in ("const", "*", "struct")]
    return Parameter(name, " ".join(kind), "*" in words, "const" in words)
