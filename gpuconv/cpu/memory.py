"""Memory that is used again: large arrays lie where those lay that nobody has any more.

Fresh memory costs a page fault for every 4 KiB at its first use, which can take as long as what a
kernel does there. Blocks come in sizes an eighth apart, and begin at a cache line.
"""

import os
from collections import defaultdict
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from ..shapes import Shape

LEAST = 1 << 16  # bytes, below which the system's own memory comes without faults
LINE = 64  # bytes of a cache line
SHARE = 4  # idle blocks take at most this part of the machine's memory


class Shelf:
    """Idle blocks by size; ``limit`` bytes of them at most."""

    def __init__(self, limit: int) -> None:
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
            if self._idle + block.size > self._limit:
                self.clear()
            if block.size <= self._limit:
                self._blocks[block.size].append(block)
                self._idle += block.size

    def clear(self) -> None:
        """Hand everything idle back to the system."""
        with self._lock:
            self._blocks.clear()
            self._idle = 0


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on every system
        return 4 << 30


SHELF = Shelf(_memory() // SHARE)


class _Loan:
    """What an array says its memory is: it goes back when the last view of it is gone."""

    def __init__(self, block: np.ndarray, shape: Shape, dtype: np.dtype) -> None:
        self._block = block
        address = block.__array_interface__["data"][0]
        self.__array_interface__ = {
            "data": (address + -address % LINE, False),
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self, give: Any = SHELF.give) -> None:
        give(self._block)


def empty(shape: Shape, dtype: Any) -> np.ndarray:
    """An uninitialised array; raises MemoryError, or ValueError for more than can be addressed."""
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if size < LEAST:
        return np.empty(shape, kind)
    return np.asarray(_Loan(SHELF.take(size + LINE), tuple(shape), kind))
