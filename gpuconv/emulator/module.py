"""A CUDA source that runs on the CPU, and its kernels; called as CuPy's RawKernel is."""

import ctypes
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import KernelError, LaunchError, OptionError
from . import arguments, build, launch, places, source
from .arguments import Parameter
from .errors import KINDS
from .guard import Memory, Operand
from .statistics import LineStatistics, Statistics


class Module:
    """The kernels of a ``.cu`` file, or of a string of CUDA C++.

    ``defines`` are macros (True: without a value), ``include`` folders for ``#include "..."``.
    ``mode="fast"`` computes values only; ``"check"`` watches every access. Compiled at the first
    use and kept in a cache on disk. Raises OptionError, DataError; and when it is first used
    DeviceError without a compiler, CompileError with file and line.
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
    def _library(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(self.path))

    @functools.cached_property
    def _shared(self) -> list[dict]:
        text = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(self._library, _INFO)))
        entries: list[dict] = json.loads(text)
        table = (ctypes.c_uint64 * (len(entries) + 1)).in_dll(self._library, "emu_shared_table")
        return [{**e, "base": base} for e, base in zip(entries, table, strict=False)]

    def function(self, name: str) -> "Function":
        """The ``extern "C" __global__`` function of this name; raises KernelError."""
        try:
            kernel = launch.Kernel.in_dll(self._library, f"emu_kernel_{name}")
            names = ctypes.c_char.in_dll(self._library, f"emu_names_{name}")
        except ValueError:
            raise KernelError(
                f"emulator: {self._source.name} has no kernel {name!r}; check its spelling and the "
                f"macros {self._source.defines}"
            ) from None
        shared = [s for s in self._shared if name in s["kernels"]]
        text = ctypes.string_at(ctypes.addressof(names)).decode()
        return Function(self, name, kernel, text.split(), shared)


_INFO = "emu_shared_info"


class Function:
    """A kernel: ``f(grid, block, args, shared_mem=0)``, as CuPy's RawKernel is called."""

    def __init__(
        self,
        module: Module,
        name: str,
        kernel: launch.Kernel,
        names: Sequence[str],
        shared: Sequence[dict],
    ) -> None:
        self.module, self.name = module, name
        self._kernel, self._shared = kernel, shared
        self.shared_bytes = sum(entry["size"] for entry in shared)
        self.parameters = tuple(
            Parameter(names[i] if i < len(names) else "?", *_plain(kernel.parameters[i]))
            for i in range(kernel.count)
        )

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[object],
        shared_mem: int = 0,
        *,
        order: str = "ascending",
        seed: int = 0,
        blocks: Sequence[int] | None = None,
        strict: bool = True,
        statistics: bool = False,
        uninitialized: Sequence[int] = (),
    ) -> Statistics | None:
        """Run every block, or only those of these linear numbers.

        ``args`` are NumPy arrays, scalars, or structured scalars passed by value. ``order`` is that
        of threads and blocks, ``seed`` that of "random". ``strict=False`` lets ended threads count
        as arrived at a barrier. ``statistics`` (check mode) returns counts for each source line.
        ``uninitialized`` are the positions of arrays that must be written before they are read.
        Raises LaunchError, DtypeError or OptionError before the launch; an EmulatorError for a
        fault, after which check mode leaves every array as it was.
        """
        whole, threads = arguments.geometry(self.name, grid, block)
        dynamic = arguments.shared_memory(self.name, self.shared_bytes, shared_mem)
        arguments.check(self.name, self.parameters, args)
        self._check_options(order, statistics, uninitialized)
        chosen = self._block_numbers(whole, blocks)
        memory = Memory(self._operands(args, uninitialized), self.module.mode == "check")
        call = launch.Launch(
            grid=whole, block=threads, dynamic_bytes=dynamic, seed=seed % 2**64, strict=strict
        )
        call.order = launch.ORDERS.index(order)
        call.check, call.count = self.module.mode == "check", statistics
        keep = self._fill(call, memory, args, chosen)
        kind = launch.run(self.module._library, call)
        del keep
        if kind:
            self._raise(kind, call.fault)
        memory.copy_back()
        return self._statistics(call) if statistics else None

    def _check_options(
        self, order: str, statistics: bool, uninitialized: Sequence[int]
    ) -> None:
        if order not in launch.ORDERS:
            raise OptionError(f"{self.name}: order must be one of {launch.ORDERS}, got {order!r}")
        if statistics and self.module.mode != "check":
            raise OptionError(f'{self.name}: statistics need Module(..., mode="check")')
        for i in uninitialized:
            if not 0 <= i < len(self.parameters) or not self.parameters[i].is_pointer:
                raise OptionError(f"{self.name}: uninitialized={i} is not the number of an array")

    def _block_numbers(
        self, grid: tuple[int, int, int], blocks: Sequence[int] | None
    ) -> list[int] | None:
        total = grid[0] * grid[1] * grid[2]
        chosen = None if blocks is None else [int(b) for b in blocks]
        for block in chosen or ():
            if not 0 <= block < total:
                raise LaunchError(f"{self.name}: block {block} is not one of the {total} of {grid}")
        return chosen

    def _operands(self, args: Sequence[object], uninitialized: Sequence[int]) -> list[Operand]:
        return [
            Operand(
                arg.ctypes.data, arg.nbytes, f"argument {i} ({p.name})", p.constant,
                i in uninitialized,
            )
            for i, (p, arg) in enumerate(zip(self.parameters, args, strict=True))
            if p.is_pointer and isinstance(arg, np.ndarray)
        ]  # fmt: skip

    def _fill(
        self, call: launch.Launch, memory: Memory, args: Sequence[object], chosen: list[int] | None
    ) -> list[object]:
        """Point the launch at its arguments; returns what must live as long as it runs."""
        values = [_value(p, arg, memory) for p, arg in zip(self.parameters, args, strict=True)]
        pointers = launch.array_of(ctypes.c_void_p, [ctypes.addressof(v) for v in values])
        buffers = launch.array_of(
            launch.Buffer,
            [(e.base, e.size, e.name.encode(), e.constant, e.blank) for e in memory.extents],
        )
        shared = launch.array_of(
            launch.Buffer,
            [(s["base"], s["size"], s["name"].encode(), False, False) for s in self._shared],
        )
        numbers = launch.array_of(ctypes.c_int64, chosen or ())
        call.call, call.arguments = self._kernel.call, ctypes.addressof(pointers)
        call.buffers, call.buffer_count = buffers, len(memory.extents)
        call.shared, call.shared_count = shared, len(self._shared)
        call.blocks, call.block_count = numbers, -1 if chosen is None else len(chosen)
        return [values, pointers, buffers, shared, numbers]

    def _raise(self, kind: int, fault: launch.Fault) -> None:
        file, line = places.place(self.module.path, fault.pc)
        message = fault.message.decode(errors="replace")
        if fault.other_pc:
            message += " at {}:{}".format(*places.place(self.module.path, fault.other_pc))
        thread, block = tuple(fault.thread), tuple(fault.block)
        raise KINDS[kind](message, self.name, file, line, thread, block)

    def _statistics(self, call: launch.Launch) -> Statistics:
        rows = [call.rows[i] for i in range(call.row_count)]
        where = places.places(self.module.path, [row.pc for row in rows])
        lines = [
            LineStatistics(
                *place, ("shared", "global")[row.space - 1], ("read", "write")[row.write],
                row.bytes, row.requests, row.transactions, row.ideal,
            )
            for place, row in zip(where, rows, strict=True)
        ]  # fmt: skip
        lines.sort(key=lambda entry: (entry.file, entry.line, entry.kind))
        return Statistics(call.blocks_run, call.barriers, call.accesses, tuple(lines))


def _plain(parameter: launch.Parameter) -> tuple[str, str, int, int]:
    return parameter.kind.decode(), parameter.code.decode(), parameter.size, parameter.align


def _value(parameter: Parameter, argument: object, memory: Memory) -> ctypes.Array | ctypes.c_void_p:
    if not parameter.is_pointer:
        return ctypes.create_string_buffer(argument.tobytes(), parameter.size)  # type: ignore[attr-defined]
    if not isinstance(argument, np.ndarray):
        return ctypes.c_void_p(0)
    return ctypes.c_void_p(memory.address(argument.ctypes.data))
