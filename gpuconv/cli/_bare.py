"""A .cu file without a launcher: its entry's parameters are matched by name with an op's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import battery
from .. import device as devices
from ..cuda import Source, grid_for, index_type
from ..cuda.arguments import TYPES
from ..cuda.source import Parameter
from ..errors import KernelError, OptionError
from ..problem import Problem
from ..registry import Kernel, Op
from ._expression import evaluate
from ._names import Number, ignored, numbers
from ._values import members, number, plain, struct

_REAL = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class Layout:
    """A launch's blocks (None: a thread for each element of the out), threads, shared bytes."""

    blocks: str | None = None
    threads: int = 256
    shared: str = "0"


def choose(source: Source, entry: str | None) -> str:
    """The entry of that name, or the only one; raises OptionError or KernelError listing them."""
    names = list(source.entries)
    if not names:
        raise KernelError(
            f'check: {source.path} has no entry; write extern "C" __global__ void name(...)'
        )
    if entry is None and len(names) > 1:
        raise OptionError(f"check: {source.path} has {', '.join(names)}; say which with --entry")
    if entry is not None and entry not in names:
        raise KernelError(f"check: {source.path} has no entry {entry!r}; it has {', '.join(names)}")
    return entry or names[0]


class Bare:
    """One entry as a kernel of an op.

    Raises KernelError for a parameter that the op has nothing for, or an out without a parameter.
    """

    def __init__(self, source: Source, entry: str, op: Op, layout: Layout) -> None:
        self.source, self.entry, self.op, self.layout = source, entry, op, layout
        self._arrays = list(dict.fromkeys(n.rstrip("?") for n in (*op.outs, *op.ins)))
        self._optional = [n.rstrip("?") for n in (*op.outs, *op.ins) if n.endswith("?")]
        self._pointers = [p for p in source.entries[entry] if p.pointer]
        self._values = [p for p in source.entries[entry] if not p.pointer]
        self._taken = [n for p in self._values for n in members(source, p.type) or [p.name]]
        self._require_known()

    def _require_known(self) -> None:
        known = list(dict.fromkeys(n for case in self.op.cases() for n in numbers(case)))
        known += [*(f"has_{name}" for name in self._optional), "count"]
        given, name = [p.name for p in self._pointers], self.op.name
        outs = [out for out in self.op.outs if not out.endswith("?")]
        wrong = [f"parameter {n} is no array of {name}" for n in _beyond(given, self._arrays)]
        wrong += [f"{n} is no number of {name}" for n in _beyond(self._taken, known)]
        wrong += [f"there is no parameter {n}* for an out" for n in _beyond(outs, given)]
        if wrong:
            raise KernelError(
                f"check: {self.source.path.name}: {self.entry}: {wrong[0]}; its arrays are "
                f"{', '.join(self._arrays)}; its numbers are {', '.join(known)}"
            )
        sample = {**dict.fromkeys((*known, "real"), 1), **numbers(next(iter(self.op.cases())))}
        self._counts(sample)  # raises for a layout that cannot be worked out

    @property
    def line(self) -> int:
        """The line that names the entry."""
        lines = plain(self.source.text).splitlines()
        named = (re.search(rf"\b{self.entry}\s*\(", line) for line in lines)
        return next((n for n, found in enumerate(named, 1) if found), 0)

    def kernel(self) -> Kernel:
        """The entry as the battery runs it; it is not registered."""
        return Kernel(self.op.name, self.entry, "cuda", self._run, refuses=self._refuses)

    def variants(self) -> list[bool]:
        """Whether optional arrays are given: as far as the entry can be told."""
        taken = [name in {p.name for p in self._pointers} for name in self._optional]
        told = all(f"has_{name}" in self._taken for name in self._optional)
        possible = {True: all(taken), False: told or not any(taken)}
        return [given for given in battery.variants(self.op) if possible[given]]

    def _refuses(self, problem: Problem, device: devices.Device) -> str | None:
        beside = {"count", *(f"has_{name}" for name in self._optional)}
        for name in _beyond(self._taken, [*numbers(problem), *beside]):
            return f"takes {name}, which not every case has"
        option = ignored(problem, self._taken)
        if option is not None:
            return f"has no parameter for {option}"
        for p in self._pointers:
            _, dtype = problem.spec(p.name)
            kind = _REAL[problem.dtype] if p.type == "REAL" else p.type
            if TYPES.get(kind, dtype) != dtype:
                return f"takes {p.type}* {p.name}, not {dtype}"
        return None

    def _run(self, outs: tuple, ins: tuple, problem: Problem, work: Any) -> None:
        order = [n.rstrip("?") for n in (*self.op.ins, *self.op.outs)]
        arrays = dict(zip(order, (*ins, *outs), strict=True))
        names = numbers(problem) | {"count": outs[0].size}
        names |= {f"has_{name}": arrays[name] is not None for name in self._optional}
        sizes = [a.size for a in arrays.values() if a is not None]
        macros = {"REAL": _REAL[problem.dtype], "INDEX": index_type(*sizes)}
        here = devices.of(outs[0])
        args = [
            self._array(p, arrays, problem, here) if p.pointer else self._value(p, names, macros)
            for p in self.source.entries[self.entry]
        ]
        blocks, shared = self._counts(names | {"real": np.dtype(problem.dtype).itemsize})
        threads = self.layout.threads
        function = self.source.function(self.entry, **macros, BLOCK=threads)
        function((blocks,), (threads,), args, shared)

    def _array(
        self, parameter: Parameter, arrays: dict, problem: Problem, here: devices.Device
    ) -> Any:
        """The array; for one that is left out an array of no elements, so that a read shows."""
        array = arrays[parameter.name]
        if array is None:
            return devices.empty((0,), problem.spec(parameter.name)[1], here)
        return array

    def _value(self, parameter: Parameter, names: dict, macros: dict) -> Any:
        types = members(self.source, parameter.type)
        if types:
            return struct({n: macros.get(kind, kind) for n, kind in types.items()}, names)
        kind = macros.get(parameter.type, parameter.type)
        return number(parameter.name, kind, names[parameter.name])

    def _counts(self, names: dict[str, Number]) -> tuple[int, int]:
        """Blocks, and bytes of shared memory."""
        blocks, count = self.layout.blocks, int(names["count"])
        automatic = grid_for(count, self.layout.threads)[0] if count else 0
        found = automatic if blocks is None else evaluate("--blocks", blocks, names)
        return found, evaluate("--shared", self.layout.shared, names)


def _beyond(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those that are not known, in order."""
    return [name for name in names if name not in known]
