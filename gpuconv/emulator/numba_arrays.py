"""Arrays as a simulated kernel sees them in check mode: every access is looked at.

A shadow beside the values keeps, for each element, who wrote it last, who read it last, and since
which barrier. Numba lets an index below 0 count from the end; a kernel that reaches one has
miscounted as a rule, so it is reported.
"""

from typing import Any, NoReturn

import numpy as np

from .errors import BoundsError, EmulatorError, Index, RaceError, UninitializedError

NOBODY = -1
# A stamp holds, from its highest bits: the number of a barrier, of a __syncwarp, and a thread.
# Beyond thread 1023 come readers that are several: those of one warp, and those of more than one.
_THREAD_BITS, _CLOCK_BITS = 11, 20
_EPOCH_BITS = _THREAD_BITS + _CLOCK_BITS
_OF_WARP, _OF_BLOCK = 1024, 2047
WARP = 32


class Fault(Exception):
    """A fault to be raised as the EmulatorError ``kind``.

    ``place`` is its file and line, or None: it happened where the kernel was.
    """

    def __init__(
        self, kind: type[EmulatorError], message: str, place: tuple[str, int] | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.place = kind, place


class Now:
    """Which thread runs, and what comes before all that it does.

    ``stamp`` is that of its accesses, ``floor`` what those before the last barrier are below, and
    ``block_floor`` what those of earlier blocks are below.
    """

    def __init__(self) -> None:
        self.thread, self.index = 0, (0, 0, 0)
        self.stamp = self.floor = self.block_floor = 0
        self._clocks = [0] * WARP

    def enter(self, thread: int, index: Index) -> None:
        """Go on in another thread, of this number in its block."""
        self.thread, self.index = thread, index
        self.stamp = self.stamp_of(thread)

    def next_block(self) -> None:
        """Begin a block: nothing orders it with those before."""
        self.barrier()
        self.block_floor, self._clocks = self.floor, [0] * WARP

    def barrier(self) -> None:
        """All threads of the block have met."""
        self.floor += 1 << _EPOCH_BITS

    def warp_barrier(self, warp: int) -> None:
        """Lanes of that warp have met."""
        self._clocks[warp] += 1

    def stamp_of(self, reader: int) -> int:
        """An access that happens now, by a thread or by several."""
        warp = _warp(reader)
        clock = self._clocks[warp] if warp < WARP else 0
        return self.floor | clock << _THREAD_BITS | reader

    def ordered(self, stamp: int) -> bool:
        """Whether an access of this block comes before all that the running thread does."""
        thread = stamp & _OF_BLOCK
        if thread == self.thread or stamp < self.floor:
            return True
        clock = stamp >> _THREAD_BITS & (1 << _CLOCK_BITS) - 1
        return _warp(thread) == self.thread // WARP and clock < self._clocks[_warp(thread)]


def _warp(thread: int) -> int:
    return thread // WARP if thread < _OF_WARP else thread - _OF_WARP


class Watched:
    """An array of a kernel: elements are read and written by index, parts of it are views.

    ``own``: the memory belongs to the block or thread, and holds nothing at first.
    """

    __slots__ = ("_name", "_now", "_own", "_read", "_values", "_whole", "_written", "dtype", "ndim",
                 "shape", "size")  # fmt: skip

    def __init__(
        self, values: np.ndarray, name: str, now: Now, own: bool, shadows: Any = None
    ) -> None:
        self._values, self._name, self._now, self._own = values, name, now, own
        self._whole = values.dtype.kind in "iu"
        self.dtype, self.shape = values.dtype, values.shape
        self.ndim, self.size = values.ndim, values.size
        made = shadows or (_blank(values), _blank(values) if own else None)
        self._written: np.ndarray = made[0]
        self._read: Any = made[1]

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        value = self._at("read", index)
        if value.__class__ is np.ndarray:
            return self._part(value, index)
        written, now = self._written.item(index), self._now
        if written >= now.block_floor:
            self._check("read", index, written, "write")
        elif written != NOBODY or self._own:
            self._never("read", index, written)
        if self._own:
            self._note_read(index)
        return int(value) if self._whole else value

    def __setitem__(self, index: Any, value: Any) -> None:
        target = self._at("write", index)
        if target.__class__ is np.ndarray:
            self._part(target, index).fill(value)
            return
        written, now = self._written.item(index), self._now
        if written >= now.block_floor:
            self._check("write", index, written, "write")
        elif written != NOBODY:
            self._never("write", index, written)
        if self._own:
            self._check("write", index, self._read.item(index), "read")
        self._written[index] = now.stamp
        self._values[index] = value

    def fill(self, value: Any) -> None:
        """Write every element, of one value or of an array."""
        for index in np.ndindex(self.shape):
            self[index] = value[index] if hasattr(value, "ndim") and value.ndim else value

    def exchange(self, index: Any, change: Any) -> Any:
        """Replace an element as an atomic does: no other access comes between."""
        old = self._at("write", index)
        self._values[index] = change(old)
        return int(old) if self._whole else old

    def _at(self, access: str, index: Any) -> Any:
        try:
            if (min(index) if index.__class__ is tuple else index) < 0:
                self._outside(access, index)
            return self._values[index]
        except (IndexError, TypeError, ValueError) as error:
            return self._at_slices(access, index, error)

    def _at_slices(self, access: str, index: Any, error: Exception) -> Any:
        given = index if isinstance(index, tuple) else (index,)
        numbers = [i for i in given if not isinstance(i, slice)]
        if not all(isinstance(i, int | np.integer) for i in numbers):
            raise Fault(EmulatorError, f"{access} of {self._name}: {error}")
        if len(given) > self.ndim or len(numbers) == len(given) > 0 or min(numbers, default=0) < 0:
            self._outside(access, index)
        return self._values[index]

    def _part(self, values: np.ndarray, index: Any) -> "Watched":
        shadows = self._written[index], self._read[index] if self._own else None
        return Watched(values, self._name, self._now, self._own, shadows)

    def _place(self, index: Any) -> str:
        given = index if isinstance(index, tuple) else (index,)
        return f"[{', '.join(map(str, given))}] of {self._name}"

    def _outside(self, access: str, index: Any) -> NoReturn:
        raise Fault(BoundsError, f"{access} of {self._place(index)}, but its shape is {self.shape}")

    def _never(self, access: str, index: Any, written: int) -> NoReturn:
        if written == NOBODY:
            what = f"{access} of {self._place(index)}, which no thread has written"
            raise Fault(UninitializedError, what)
        self._race(access, index, written, "write", "another block")

    def _check(self, access: str, index: Any, stamp: int, before: str) -> None:
        if stamp >= self._now.floor and not self._now.ordered(stamp):
            self._race(access, index, stamp, before, "the same block")

    def _race(self, access: str, index: Any, stamp: int, before: str, where: str) -> NoReturn:
        thread = stamp & _OF_BLOCK
        who = f"thread {thread}" if thread < _OF_WARP else "several threads"
        raise Fault(
            RaceError,
            f"{access} of {self._place(index)} is not ordered with the {before} by {who} of "
            f"{where}",
        )

    def _note_read(self, index: Any) -> None:
        now, last = self._now, self._read.item(index)
        stamp = now.stamp
        if last >= now.floor and last != stamp and not now.ordered(last):
            warp = now.thread // WARP
            stamp = now.stamp_of(_OF_WARP + warp if _warp(last & _OF_BLOCK) == warp else _OF_BLOCK)
        self._read[index] = stamp


def _blank(values: np.ndarray) -> np.ndarray:
    return np.full(values.shape, NOBODY, np.int64)
