"""Tasks: plain functions in Python, compiled by Numba, of which many run at once on all cores.

    @task("x y size")
    def double(g, i):
        x, y = floats(g.x, (g.size,)), floats(g.y, (g.size,))
        y[i] = 2 * x[i]

    double.each(x.size, x=x, y=y, size=x.size)  # double(g, 0), ..., double(g, x.size - 1)

Nothing is compiled with Numba's ``parallel=True``, which takes a second and more for each function:
the threads of pool.py call a task, by its address, for every index. Tasks must not depend on each
other, nor on the order they come in.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic
from numba.np import arrayobj

from .. import _cache
from . import native, progress, recording, threads
from .pool import pool

INT, LINE = types.int64, 64
_COMPILING = RLock()


@intrinsic
def call(typingctx: Any, address: Any, arguments: Any) -> Any:
    """Call the function at an address with a tuple of integers."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kinds = signature.args[1]
        values = [
            context.cast(builder, builder.extract_value(given[1], n), kind, INT)
            for n, kind in enumerate(kinds)
        ]
        target = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(values)).as_pointer()
        builder.call(builder.inttoptr(given[0], target), values)
        return context.get_dummy_value()

    return types.void(INT, arguments), emit


@intrinsic
def stack(typingctx: Any, count: Any) -> Any:
    """The address of so many bytes, a constant, that a function has to itself while it runs."""
    if not isinstance(count, types.IntegerLiteral):
        raise RequireLiteralValue("stack: the number of bytes must be a constant")

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.ArrayType(ir.IntType(8), count.literal_value)
        with builder.goto_entry_block():  # cgutils.alloca_once would fill it, byte by byte
            place = builder.alloca(kind)
        place.align = LINE
        return builder.ptrtoint(place, ir.IntType(64))

    return INT(types.literal(count.literal_value)), emit


def _array(kind: Any, name: str, doc: str) -> Any:
    """``name(address, shape)``: an array in memory that is somebody else's.

    Numba's ``carray`` does the same; a function around it, to turn the address into a pointer,
    makes the functions that call it compile twice as long.
    """

    def typed(typingctx: Any, address: Any, shape: Any) -> Any:
        array = types.Array(kind, len(shape), "C")
        return array(INT, types.UniTuple(INT, len(shape))), _emit_array

    typed.__name__, typed.__doc__ = name, doc
    return intrinsic(typed)


def _emit_array(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    kind, (address, shape) = signature.return_type, given
    array = arrayobj.make_array(kind)(context, builder)
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    sizes = cgutils.unpack_tuple(builder, shape)
    strides: list[Any] = []
    step = context.get_constant(types.intp, item)
    for size in reversed(sizes):
        strides.insert(0, step)
        step = builder.mul(step, size)
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    places = {"data": data, "shape": sizes, "strides": strides}
    arrayobj.populate_array(array, **places, itemsize=item, meminfo=None)
    return array._getvalue()


floats = _array(types.float32, "floats", "The float32 array of this shape at an address.")
ints = _array(types.int64, "ints", "The int64 array of this shape at an address.")


@contextmanager
def _cached() -> Iterator[None]:
    """Numba keeps what is declared inside in a folder of ours, which belongs to these sources.

    Numba watches the file of a function only, not those that it calls into.
    """
    with _COMPILING:
        kept, folder = numba.config.CACHE_DIR, _cache.folder() / f"numba-{native.sources()[:16]}"
        if not folder.exists():
            progress.compiling()
        numba.config.CACHE_DIR = str(folder)
        try:
            yield
        finally:
            numba.config.CACHE_DIR = kept


class Task:
    """A function ``(g, i)`` of its fields and an index; compiled at the first ``each``."""

    def __init__(self, function: Callable, fields: str) -> None:
        self._function, self._names = function, fields.split()
        self._places = {name: place for place, name in enumerate(self._names)}
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    @cached_property
    def _address(self) -> int:
        record = numba.from_dtype(np.dtype([(name, np.int64) for name in self._names]))
        with _cached():
            kind = types.void(record, INT)
            compiled = numba.cfunc(kind, nogil=True, error_model="numpy", cache=True)
            self._compiled = compiled(self._function)  # the code lives as long as this does
        return int(self._compiled.address)

    def each(self, count: int, **fields: Any) -> None:
        """Run the task for every index below ``count``, on all threads; returns when all are done.

        A field is an integer, or an array (or None) for its address. Raises TypeError unless they
        are the task's own fields.
        """
        self._run(count, np.empty(len(self._names), np.int64), fields, {})

    def bind(self, **known: Any) -> "Bound":
        """The task with some of its fields, for calls that differ in the others only.

        Raises TypeError for fields that are not the task's.
        """
        values = np.zeros(len(self._names), np.int64)
        self._fill(values, known)
        return Bound(self, known, values)

    def _run(self, count: int, values: np.ndarray, fields: dict, known: dict) -> None:
        if len(fields) + len(known) != len(values) or not known.keys().isdisjoint(fields):
            raise self._wrong({*fields, *known})
        self._fill(values, fields)
        record = recording.current()
        if record is not None:
            record.hold(*fields.values(), *known.values())
        if count:
            self._start(count, values)

    def _start(self, count: int, values: np.ndarray) -> None:
        record = recording.current()
        if record is not None:
            record.job(self._address, values, count)
        pool().run(self._address, values.ctypes.data, count, threads.get_num_threads())

    def _fill(self, values: np.ndarray, fields: dict[str, Any]) -> None:
        places = self._places
        for name, value in fields.items():
            if name not in places:
                raise self._wrong(fields)
            values[places[name]] = _integer(value)

    def _wrong(self, given: Iterable[str]) -> TypeError:
        wrong = ", ".join(sorted(set(given) ^ set(self._names)))
        return TypeError(f"{self.__name__}: fields that are missing or unknown: {wrong}")


@dataclass(frozen=True, eq=False)
class Bound:
    """A task that knows some of its fields already; it holds on to them."""

    task: Task
    known: dict[str, Any]
    values: np.ndarray

    def each(self, count: int, **fields: Any) -> None:
        """Run the task as ``Task.each`` does, with these fields besides those that it knows."""
        self.task._run(count, self.values.copy(), fields, self.known)


def _integer(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.__array_interface__["data"][0])
    return 0 if value is None else int(value)


def task(fields: str) -> Callable[[Callable], Task]:
    """Decorator: a task with these fields, all of them integers (addresses, sizes, strides)."""
    return lambda function: Task(function, fields)
