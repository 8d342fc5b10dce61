"""Arrays as a simulated kernel sees them in check mode: every access is looked at.

A shadow beside the values keeps, for each element, who wrote it last, who read it last, and since
which barrier. Numba lets an index below 0 count from the end; on a GPU it may as well be a fault,
so it is reported as one.
"""

from typing import Any, NoReturn

import numpy as np

from .errors import BoundsError, EmulatorError, RaceError, UninitializedError

NOBODY = -1
# A stamp holds a barrier's number, that of a __syncwarp, and a thread; beyond 1023 come readers
# that are several: of one warp, and of more than one.
_THREAD, _CLOCK = 11, 20
_OF_WARP, _OF_BLOCK = 1024, 2047


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
    """The thread that runs, by number in its block, and what has been ordered so far.

    ``epoch`` counts the barriers of the launch, a block's end included; ``clocks`` the
    synchronisations of each warp of the block.
    """

    def __init__(self) -> None:
        self.thread = self.epoch = self.block_start = 0
        self.clocks = [0] * 32

    def next_block(self) -> None:
        """Begin another block: nothing orders it with those before."""
        self.epoch += 1
        self.block_start, self.clocks = self.epoch, [0] * 32

    def stamp(self, thread: int) -> int:
        """An access that happens now."""
        warp = _warp(thread)
        clock = self.clocks[warp] if warp < 32 else 0
        return (self.epoch << _CLOCK | clock) << _THREAD | thread

    def ordered(self, stamp: int) -> bool:
        """Whether an access of this block comes before all that the running thread does now."""
        thread, epoch = stamp & _OF_BLOCK, stamp >> _THREAD + _CLOCK
        if thread == self.thread or epoch < self.epoch:
            return True
        warp, clock = _warp(thread), stamp >> _THREAD & (1 << _CLOCK) - 1
        return warp == self.thread // 32 and clock < self.clocks[warp]


def _warp(thread: int) -> int:
    return thread // 32 if thread < _OF_WARP else thread - _OF_WARP


def _blank(values: np.ndarray) -> np.ndarray:
    return np.full(values.shape, NOBODY, np.int64)


class Watched:
    """An array of a kernel: elements are read and written by index, parts of it are views.

    ``own``: the memory belongs to the block or thread, and holds nothing at first.
    """

    __slots__ = ("_name", "_now", "_own", "_read", "_values", "_whole", "_written", "dtype", "ndim",
                 "shape", "size")  # fmt: skip

    def __init__(
        self, values: np.ndarray, name: str, now: Now, own: bool, shadow: Any = None
    ) -> None:
        self._values, self._name, self._now, self._own = values, name, now, own
        self._whole = values.dtype.kind in "iu"
        self.dtype, self.ndim, self.shape, self.size = (
            *(values.dtype, values.ndim, values.shape, values.size),
        )
        self._written, self._read = shadow or (_blank(values), _blank(values) if own else None)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        value = self._at("read", index)
        if value.__class__ is np.ndarray:
            return self._part(value, index)
        stamp = self._written[index]
        if stamp != NOBODY:
            self._check("read", index, int(stamp), "write")
        elif self._own:
            raise Fault(UninitializedError, f"read of {self._place(index)}, which nobody has written")
        if self._read is not None:
            self._note_read(index)
        return int(value) if self._whole else value

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._at("write", index).__class__ is np.ndarray:
            self._part(self._values[index], index).fill(value)
            return
        for kind, shadow in (("write", self._written), ("read", self._read)):
            stamp = NOBODY if shadow is None else int(shadow[index])
            if stamp != NOBODY:
                self._check("write", index, stamp, kind)
        self._written[index] = self._now.stamp(self._now.thread)
        self._values[index] = value

    def fill(self, value: Any) -> None:
        """Write every element."""
        for index in np.ndindex(self.shape):
            self[index] = value[index] if hasattr(value, "shape") and value.shape else value

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
            return self._part_at(access, index, error)

    def _part_at(self, access: str, index: Any, error: Exception) -> Any:
        given = index if isinstance(index, tuple) else (index,)
        if all(isinstance(i, int | np.integer) for i in given) and given:
            self._outside(access, index)
        if all(isinstance(i, int | np.integer | slice) for i in given):
            if any(not isinstance(i, slice) and i < 0 for i in given):
                self._outside(access, index)
            return self._values[index]
        raise Fault(EmulatorError, f"{access} of {self._name}: {error}")

    def _part(self, values: np.ndarray, index: Any) -> "Watched":
        shadow = self._written[index], None if self._read is None else self._read[index]
        return Watched(values, self._name, self._now, self._own, shadow)

    def _outside(self, access: str, index: Any) -> NoReturn:
        raise Fault(BoundsError, f"{access} of {self._place(index)}, but its shape is {self.shape}")

    def _place(self, index: Any) -> str:
        given = index if isinstance(index, tuple) else (index,)
        return f"{self._name}[{', '.join(map(str, given))}]"

    def _check(self, access: str, index: Any, stamp: int, before: str) -> None:
        now, thread = self._now, stamp & _OF_BLOCK
        same_block = self._own or stamp >> _THREAD + _CLOCK >= now.block_start
        if same_block and now.ordered(stamp):
            return
        who = f"thread {thread}" if thread < _OF_WARP else "several threads"
        where = "the same block" if same_block else "another block"
        raise Fault(
            RaceError,
            f"{access} of {self._place(index)} is not ordered with the {before} by {who} of {where}",
        )

    def _note_read(self, index: Any) -> None:
        now, stamp = self._now, int(self._read[index])
        reader = now.thread
        if stamp != NOBODY and not now.ordered(stamp):
            same_warp = _warp(stamp & _OF_BLOCK) == now.thread // 32
            reader = _OF_WARP + now.thread // 32 if same_warp else _OF_BLOCK
        self._read[index] = now.stamp(reader)
