"""A CUDA source that runs on the CPU."""

import ctypes
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import KernelError, OptionError
from . import build, launch, source
from .arguments import Parameter
from .function import Function, Shared


class Module:
    """The kernels of a ``.cu`` file, or of a string of CUDA C++.

    ``defines`` are macros (True is 1, False leaves it undefined), ``include`` folders for
    ``#include "..."``; a file's own folder comes first. ``mode="fast"`` computes values only,
    ``"check"`` watches every access. Compiled at the first use and kept in a cache on disk.
    Raises OptionError and DataError; at the first use DeviceError without a compiler, and
    CompileError with file and line.
    """

    def __init__(
        self,
        path_or_source: str | Path,
        defines: Mapping[str, object] | None = None,
        include: Sequence[str | Path] = (),
        mode: str = "fast",
    ) -> None:
        if mode not in build.MODES:
            raise OptionError(f"emulator: mode must be one of {build.MODES}, got {mode!r}")
        self.mode = mode
        self._source = source.read(path_or_source, defines or {}, include)

    @functools.cached_property
    def path(self) -> Path:
        """The compiled library."""
        return build.library(self._source, self.mode)

    @functools.cached_property
    def library(self) -> ctypes.CDLL:
        """The compiled library, loaded."""
        return ctypes.CDLL(str(self.path))

    def function(self, name: str) -> Function:
        """The ``extern "C" __global__`` function of this name; raises KernelError."""
        try:
            kernel = launch.Kernel.in_dll(self.library, f"emu_kernel_{name}")
        except ValueError:
            raise KernelError(
                f"emulator: {self._source.name} has no kernel {name!r}; check the spelling and "
                f"the macros {self._source.defines}"
            ) from None
        names = [*self._text(f"emu_names_{name}").split(), *["?"] * kernel.count]
        parameters = [
            Parameter(word, p.kind.decode(), p.code.decode(), p.size, p.align)
            for word, p in zip(names, kernel.parameters[: kernel.count], strict=False)
        ]
        shared = [s.variable for s in self._shared if name in s.kernels]
        return Function(self.library, self.path, self.mode, name, kernel.call, parameters, shared)

    @functools.cached_property
    def _shared(self) -> list["_Entry"]:
        entries = json.loads(self._text("emu_shared_info"))
        table = ctypes.c_uint64 * (len(entries) + 1)
        bases = table.in_dll(self.library, "emu_shared_table")
        return [
            _Entry(Shared(base, e["size"], e["name"]), e["kernels"])
            for e, base in zip(entries, bases, strict=False)
        ]

    def _text(self, symbol: str) -> str:
        first = ctypes.c_char.in_dll(self.library, symbol)
        return ctypes.string_at(ctypes.addressof(first)).decode()


class _Entry:
    def __init__(self, variable: Shared, kernels: Sequence[str]) -> None:
        self.variable, self.kernels = variable, kernels
