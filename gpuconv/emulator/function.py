"""A kernel on the CPU, called as CuPy's RawKernel is."""

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from ..errors import LaunchError, OptionError
from . import arguments, launch, places
from .arguments import Parameter
from .errors import KINDS, Index
from .guard import Memory, Operand
from .statistics import LineStatistics, Statistics


class Shared(NamedTuple):
    """A ``__shared__`` variable: its address, its bytes, its symbol."""

    base: int
    size: int
    name: str


class Function:
    """A kernel: ``f(grid, block, args, shared_mem=0)``. Made by ``Module.function``."""

    def __init__(
        self,
        library: ctypes.CDLL,
        path: Path,
        mode: str,
        name: str,
        call: int,
        parameters: Sequence[Parameter],
        shared: Sequence[Shared],
    ) -> None:
        self.name, self.mode, self.parameters = name, mode, tuple(parameters)
        self.shared_bytes = sum(variable.size for variable in shared)
        self._library, self._path, self._call, self._shared = library, path, call, shared

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

        ``args`` are NumPy arrays, NumPy scalars, or structured scalars passed by value; ``None``
        is a null pointer. ``order`` is that of threads and blocks, ``seed`` that of "random".
        ``strict=False`` lets ended threads count as arrived at a barrier. ``statistics`` (check
        mode) returns counts for each source line. ``uninitialized`` are the positions of arrays
        whose elements must be written before they are read (check mode).

        Raises LaunchError, DtypeError or OptionError before the launch, and an EmulatorError for a
        fault; after one, check mode leaves every array as it was.
        """
        whole, threads = arguments.geometry(self.name, grid, block)
        dynamic = arguments.shared_memory(self.name, self.shared_bytes, shared_mem)
        arguments.check(self.name, self.parameters, args)
        self._check_options(order, statistics, uninitialized)
        call = launch.Launch(
            call=self._call, grid=whole, block=threads, dynamic_bytes=dynamic, seed=seed % 2**64,
            order=launch.ORDERS.index(order), check=self.mode == "check", strict=strict,
            count=statistics,
        )  # fmt: skip
        memory = Memory(self._operands(args, uninitialized), guarded=self.mode == "check")
        numbers = self._block_numbers(whole, blocks)
        alive = self._point(call, memory, args, numbers)
        kind = launch.run(self._library, call)
        del alive
        if kind:
            self._report(kind, call.fault)
        memory.copy_back()
        return self._statistics(call) if statistics else None

    def _check_options(self, order: str, statistics: bool, uninitialized: Sequence[int]) -> None:
        if order not in launch.ORDERS:
            raise OptionError(f"{self.name}: order must be one of {launch.ORDERS}, got {order!r}")
        if statistics and self.mode != "check":
            raise OptionError(f'{self.name}: statistics need Module(..., mode="check")')
        for i in uninitialized:
            if not 0 <= i < len(self.parameters) or not self.parameters[i].is_pointer:
                raise OptionError(f"{self.name}: uninitialized: argument {i} is not an array")

    def _block_numbers(self, grid: Index, blocks: Sequence[int] | None) -> list[int] | None:
        if blocks is None:
            return None
        total = grid[0] * grid[1] * grid[2]
        for block in blocks:
            if not 0 <= block < total:
                raise LaunchError(f"{self.name}: no block {block} among the {total} of grid {grid}")
        return [int(block) for block in blocks]

    def _operands(self, args: Sequence[object], uninitialized: Sequence[int]) -> list[Operand]:
        return [
            Operand(
                array.ctypes.data,
                array.nbytes,
                f"argument {i} ({parameter.name})",
                parameter.constant,
                i in uninitialized,
                math.gcd(4, array.itemsize),
            )
            for i, (parameter, array) in enumerate(zip(self.parameters, args, strict=True))
            if parameter.is_pointer and isinstance(array, np.ndarray)
        ]

    def _point(
        self,
        call: launch.Launch,
        memory: Memory,
        args: Sequence[object],
        numbers: Sequence[int] | None,
    ) -> list[object]:
        """Point the launch at what it works on; returns what must live as long as it runs."""
        values = [_value(p, arg, memory) for p, arg in zip(self.parameters, args, strict=True)]
        pointers = launch.array_of(ctypes.c_void_p, [ctypes.addressof(v) for v in values])
        buffers = launch.array_of(
            launch.Buffer,
            [
                (e.base, e.size, e.name.encode(), e.constant, e.blank, e.granule)
                for e in memory.extents
            ],
        )
        shared = launch.array_of(
            launch.Buffer, [(s.base, s.size, s.name.encode(), 0, 0, 4) for s in self._shared]
        )
        blocks = launch.array_of(ctypes.c_int64, numbers or ())
        call.arguments = ctypes.addressof(pointers)
        call.buffers, call.buffer_count = buffers, len(memory.extents)
        call.shared, call.shared_count = shared, len(self._shared)
        call.blocks, call.block_count = blocks, -1 if numbers is None else len(numbers)
        return [values, pointers, buffers, shared, blocks]

    def _report(self, kind: int, fault: launch.Fault) -> NoReturn:
        file, line = places.place(self._path, fault.pc)
        message = fault.message.decode(errors="replace")
        if fault.other_pc:
            message += " at {}:{}".format(*places.place(self._path, fault.other_pc))
        raise KINDS[kind](message, self.name, file, line, tuple(fault.thread), tuple(fault.block))

    def _statistics(self, call: launch.Launch) -> Statistics:
        rows = call.rows[: call.row_count]
        where = places.places(self._path, [row.pc for row in rows])
        lines = [
            LineStatistics(
                file,
                line,
                ("shared", "global")[row.space - 1],
                ("read", "write")[row.write],
                *(row.bytes, row.requests, row.transactions, row.ideal),
            )
            for (file, line), row in zip(where, rows, strict=True)
        ]
        lines.sort(key=lambda entry: (entry.file, entry.line, entry.kind))
        return Statistics(call.blocks_run, call.barriers, call.accesses, tuple(lines))


def _value(
    parameter: Parameter, argument: object, memory: Memory
) -> ctypes.Array | ctypes.c_void_p:
    if not parameter.is_pointer:
        bits = argument.tobytes()  # type: ignore[attr-defined]
        return ctypes.create_string_buffer(bits, parameter.size)
    if not isinstance(argument, np.ndarray):
        return ctypes.c_void_p(0)
    return ctypes.c_void_p(memory.address(argument.ctypes.data))
