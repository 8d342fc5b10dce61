"""Copies of a launch's arrays that stand apart in memory, so that no overrun reaches another one.

Views of one arena lie side by side; a write past the end of one would land in the next and look
right. Arrays that overlap stay together, as an in-place kernel needs.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GAP = 1 << 20
MOST = 256 << 20  # bytes: beyond this the arrays are used where they are
_ALIGNMENT = 256  # of device allocations; an array keeps its address modulo this


@dataclass
class Extent:
    """Memory that one or several overlapping arrays take: where it is, where the kernel sees it."""

    start: int
    stop: int
    name: str
    constant: bool
    blank: bool
    granule: int
    base: int = 0

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Operand:
    """An array argument: its memory, its name in reports, and what is known of it.

    ``constant``: the kernel may not write; ``blank``: it holds nothing yet; ``granule``: bytes
    that different threads write apart, as far as the dtype tells.
    """

    start: int
    size: int
    name: str
    constant: bool
    blank: bool
    granule: int


def extents(operands: Sequence[Operand]) -> list[Extent]:
    """Disjoint extents in order of address; what overlaps is one."""
    found: list[Extent] = []
    for o in sorted(operands, key=lambda o: (o.start, -o.size)):
        last = found[-1] if found else None
        if last is not None and (o.start < last.stop or (o.start, o.size) == (last.start, 0)):
            last.stop = max(last.stop, o.start + o.size)
            last.constant &= o.constant
            last.blank &= o.blank
            last.granule = min(last.granule, o.granule)
        else:
            stop = o.start + o.size
            found.append(Extent(o.start, stop, o.name, o.constant, o.blank, o.granule))
    return found


class Memory:
    """Where a launch finds its arrays: in place, or as guarded copies."""

    def __init__(self, operands: Sequence[Operand], guarded: bool) -> None:
        self.extents = extents(operands)
        total = sum(e.size + GAP for e in self.extents)
        self._copied = guarded and sum(e.size for e in self.extents) <= MOST
        # Untouched pages cost nothing, so neither do the gaps.
        self._arena = np.empty(total + 2 * GAP if self._copied else 0, np.uint8)
        self._place(self._arena.ctypes.data + GAP)

    def _place(self, free: int) -> None:
        for extent in self.extents:
            if not self._copied:
                extent.base = extent.start
                continue
            extent.base = free + (extent.start - free) % _ALIGNMENT
            free = extent.base + extent.size + GAP - _ALIGNMENT
            ctypes.memmove(extent.base, extent.start, extent.size)

    def address(self, start: int) -> int:
        """Where the kernel finds the array that starts here."""
        inside = (e for e in self.extents if e.start <= start < max(e.stop, e.start + 1))
        extent = next(inside)
        return extent.base + start - extent.start

    def copy_back(self) -> None:
        """Give the arrays what the kernel wrote."""
        for extent in self.extents if self._copied else ():
            if not extent.constant:
                ctypes.memmove(extent.start, extent.base, extent.size)
