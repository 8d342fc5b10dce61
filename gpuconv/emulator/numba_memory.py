"""Shared and local arrays of a simulated block."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .arguments import MAX_STATIC_SHARED
from .errors import EmulatorError
from .numba_arrays import Fault, Now, Watched


class Memory:
    """A block's shared arrays, one for each place that asks for one, and its threads' local ones.

    All are full of NaN at first (integers: of their lowest value), and watched in check mode.
    """

    def __init__(self, now: Now) -> None:
        self._now, self.watch = now, False
        self._shared: dict[tuple[int, int], Any] = {}
        self._bytes = 0

    def clear(self) -> None:
        """Forget the block's shared arrays."""
        self._shared.clear()
        self._bytes = 0

    def shared_array(self, shape: Any, dtype: Any) -> Any:
        """``cuda.shared.array``: all threads of the block get the same one at the same place."""
        frame = sys._getframe(1)
        place = id(frame.f_code), frame.f_lasti
        if place not in self._shared:
            values = _poisoned(shape, dtype)
            self._bytes += values.nbytes
            if not values.size or self._bytes > MAX_STATIC_SHARED:
                what = f"{self._bytes} bytes of" if values.size else "dynamic"
                raise Fault(
                    EmulatorError,
                    f"{what} shared memory; it must have a constant size, and together at most "
                    f"{MAX_STATIC_SHARED} bytes",
                )
            self._shared[place] = self._seen("shared", values, frame.f_lineno)
        return self._shared[place]

    def local_array(self, shape: Any, dtype: Any) -> Any:
        """``cuda.local.array``: a thread's own."""
        return self._seen("local", _poisoned(shape, dtype), sys._getframe(1).f_lineno)

    def atomic(self, array: Any, index: Any, change: Callable[[Any], Any]) -> Any:
        """Replace an element by ``change`` of it; returns what it was."""
        if isinstance(array, Watched):
            return array.exchange(index, change)
        old = array[index]
        array[index] = change(old)
        return old

    def _seen(self, kind: str, values: np.ndarray, line: int) -> Any:
        name = f"the {kind} array of line {line}"
        return Watched(values, name, self._now, own=True) if self.watch else values


def _poisoned(shape: Any, dtype: Any) -> np.ndarray:
    values = np.empty(shape, getattr(dtype, "name", dtype))
    whole = values.dtype.kind in "iu"
    values.fill(np.iinfo(values.dtype).min if whole else np.nan)
    return values
