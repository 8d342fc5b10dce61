"""Memory that is used again: large arrays lie where those lay that nobody has any more.

Fresh memory costs a page fault for every 4 KiB at its first use, which can take as long as what a
kernel does there. Blocks come in sizes an eighth apart, and begin at a cache line.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from ..shapes import Shape

LEAST = 1 << 16  # bytes, below which the system's own memory comes without faults
LINE = 64  # bytes of a cache line
SHARE = 4  # idle blocks take at most this part of the machine's memory


class Shelf:
    """Idle blocks by size; ``limit`` bytes of them at most, None for any number."""

    def __init__(self, limit: int | None) -> None:
        self._limit, self._idle = limit, 0
        self._blocks: dict[int, list[np.ndarray]] = defaultdict(list)
        self._lock = RLock()  # a block may come back while one is taken, in the same thread

    def take(self, size: int) -> np.ndarray:
        """A block of at least ``size`` bytes; raises MemoryError if there is none."""
        step = max(LINE, 1 << max(0, size.bit_length() - 4))
        whole = -(-size // step) * step
        with self._lock:
            if self._blocks[whole]:
                self._idle -= whole
                return self._blocks[whole].pop()
        try:
            return np.empty(whole, np.uint8)
        except MemoryError:
            self.clear()
            return np.empty(whole, np.uint8)

    def give(self, block: np.ndarray) -> None:
        """Keep a block that nobody has any more; what was idle goes if there is too much."""
        with self._lock:
            limit = self._limit
            if limit is not None and self._idle + block.size > limit:
                self.clear()
            if limit is None or block.size <= limit:
                self._blocks[block.size].append(block)
                self._idle += block.size

    def clear(self) -> None:
        """Hand everything idle back to the system."""
        with self._lock:
            self._blocks.clear()
            self._idle = 0


def total() -> int:
    """Bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on every system
        return 4 << 30


SHELF = Shelf(total() // SHARE)
_SHELF: ContextVar[Shelf | None] = ContextVar("gpuconv_shelf", default=None)


@contextmanager
def lent_by(shelf: Shelf | None) -> Iterator[None]:
    """Inside the block all memory, small arrays' too, comes from this shelf; None: as ever."""
    token = _SHELF.set(shelf)
    try:
        yield
    finally:
        _SHELF.reset(token)


class _Loan:
    """What an array says its memory is: it goes back when the last view of it is gone."""

    def __init__(self, shelf: Shelf, shape: Shape, dtype: np.dtype) -> None:
        self.shelf = shelf
        self._block = shelf.take(prod(shape) * dtype.itemsize + LINE)
        address = self._block.__array_interface__["data"][0]
        self.__array_interface__ = {
            "data": (address + -address % LINE, False),
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self) -> None:
        if hasattr(self, "_block"):  # there was memory for it
            self.shelf.give(self._block)


def empty(shape: Shape, dtype: Any) -> np.ndarray:
    """An uninitialised array; raises MemoryError, or ValueError for more than can be addressed."""
    kind, shelf = np.dtype(dtype), _SHELF.get()
    if shelf is None and prod(shape) * kind.itemsize < LEAST:
        return np.empty(shape, kind)
    return np.asarray(_Loan(shelf or SHELF, tuple(shape), kind))


def is_lent(array: Any, shelf: Shelf) -> bool:
    """Whether the array's memory is a block of the shelf."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, _Loan) and array.shelf is shelf
