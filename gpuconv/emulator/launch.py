"""The runtime's entry as ctypes sees it. The structures mirror runtime/state.h and launch.cpp."""

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

ORDERS = ("ascending", "descending", "random")  # emu::Order


class Parameter(ctypes.Structure):
    """emu::Parameter."""

    _fields_ = (
        *(("kind", ctypes.c_char), ("code", ctypes.c_char)),
        *(("size", ctypes.c_int), ("align", ctypes.c_int)),
    )


class Kernel(ctypes.Structure):
    """emu::Kernel."""

    _fields_ = (
        *(("call", ctypes.c_void_p), ("count", ctypes.c_int)),
        ("parameters", ctypes.POINTER(Parameter)),
    )


class Buffer(ctypes.Structure):
    """emu::Buffer."""

    _fields_ = (
        *(("base", ctypes.c_void_p), ("size", ctypes.c_uint64), ("name", ctypes.c_char_p)),
        *((name, ctypes.c_int32) for name in ("constant", "blank", "granule")),
    )


class Fault(ctypes.Structure):
    """emu::Fault."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        *(("thread", ctypes.c_uint32 * 3), ("block", ctypes.c_uint32 * 3)),
        *(("pc", ctypes.c_uint64), ("other_pc", ctypes.c_uint64)),
        ("message", ctypes.c_char * 1536),
    )


class Row(ctypes.Structure):
    """emu::Row."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("pc", "space", "write", "bytes", "requests", "transactions", "ideal")
    )


class Launch(ctypes.Structure):
    """emu::Launch."""

    _fields_ = (
        *(("call", ctypes.c_void_p), ("arguments", ctypes.c_void_p)),
        *(("grid", ctypes.c_uint32 * 3), ("block", ctypes.c_uint32 * 3)),
        *(("dynamic_bytes", ctypes.c_uint64), ("seed", ctypes.c_uint64)),
        *((name, ctypes.c_int32) for name in ("order", "check", "strict", "count")),
        ("stacks", ctypes.c_void_p),
        *((f"{name}_count", ctypes.c_int64) for name in ("buffer", "shared", "block")),
        *(("buffers", ctypes.POINTER(Buffer)), ("shared", ctypes.POINTER(Buffer))),
        ("blocks", ctypes.POINTER(ctypes.c_int64)),
        *((name, ctypes.c_uint64) for name in ("barriers", "accesses", "blocks_run")),
        *(("row_count", ctypes.c_int64), ("rows", ctypes.POINTER(Row))),
        ("fault", Fault),
    )


# The runtime is global to a library and the stacks to the process.
_ONE_AT_A_TIME = threading.Lock()
_STACKS: list[int] = []


def array_of(kind: Any, items: Sequence[Any]) -> Any:
    """A ctypes array; never empty, so that it always has an address."""
    return (kind * max(1, len(items)))(*items)


def run(library: ctypes.CDLL, launch: Launch) -> int:
    """Run a launch; returns the kind of its fault, 0 for none. Raises MemoryError."""
    with _ONE_AT_A_TIME:
        launch.stacks = _STACKS[0] if _STACKS else None
        kind = int(library.emu_launch(ctypes.byref(launch)))
        if kind < 0:
            raise MemoryError("the emulator has no memory for the stacks of 1024 threads")
        if not _STACKS:
            _STACKS.append(launch.stacks)
    return kind
