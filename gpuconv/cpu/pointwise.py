"""Pointwise functions: one formula over every element of a few float32 arrays, in one pass.

    RELU = Pointwise(lambda x: where(x <= 0, 0.0, x), ins=1)
    RELU((y,), (x,))

The formula is traced into a loop over vectors, and a second one over what is left, which compute
the same bits; LLVM compiles both in some hundredths of a second, where Numba takes tenths.
"""

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from . import native, recording, simd, threads

PARAMETERS = ("a", "b", "c", "d", "x", "y", "z", "scalars", "first", "count")
INS, OUTS = PARAMETERS[:4], PARAMETERS[4:7]
SMALL = 1 << 16
PIECE = 1 << 14  # elements of a task: a few arrays of it stay in the second cache
MARK = "NAME_OF_THE_TILE"


class Pointwise:
    """``formula(*ins, *scalars)`` gives one out, or a tuple, of the arrays' elements.

    At most four ins and three outs, which may be the same arrays; scalars are float32.
    """

    def __init__(self, formula: Callable, ins: int, scalars: int = 0) -> None:
        self.formula, self.ins, self.scalars = formula, ins, scalars
        self._tiles: dict[int, _Elements] = {}

    def __call__(self, outs: Sequence[Any], ins: Sequence[Any], *scalars: float) -> None:
        """Fill ``outs``, contiguous arrays of the size of ``ins``."""
        self.launch(outs, ins, np.array(scalars, np.float32))

    def launch(self, outs: Sequence[Any], ins: Sequence[Any], scalars: np.ndarray) -> None:
        """The same with the scalars in a float32 array, which is read when the loop runs."""
        launch(self.tile, outs, ins, scalars, outs[0].size, PIECE)

    @property
    def tile(self) -> "Loop":
        """The loop for the vectors of this CPU."""
        width = simd.width()
        if width not in self._tiles:
            self._tiles[width] = _Elements(self, width)
        return self._tiles[width]


class Loop:
    """A tile that runs over a piece of flat arrays with vectors of ``lanes``."""

    def __init__(self, function: Any, lanes: int) -> None:
        self.function, self.lanes = function, lanes
        digest = hashlib.sha256(self._text(True).encode()).hexdigest()[:16]
        self.name = f"loop_{digest}"

    def text(self, fused: bool) -> str:
        """The loops in LLVM's language."""
        return self._text(fused).replace(MARK, self.name)

    def _text(self, fused: bool) -> str:
        from .code import Code

        code = Code(MARK, PARAMETERS, self.lanes, fused)
        self.write(code)
        return code.finish()

    def write(self, code: Any) -> None:
        """Write the loops."""
        raise NotImplementedError(f"{type(self).__name__} has no write")

    @cached_property
    def entry(self) -> Callable:
        """The tile's function."""
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(PARAMETERS))
        return kind(self.address)

    @cached_property
    def address(self) -> int:
        """Where the function lies."""
        return native.address(self)


def launch(
    tile: Loop, outs: Sequence[Any], ins: Sequence[Any], slots: np.ndarray, size: int, piece: int
) -> None:
    """Run a tile over ``size`` elements, in pieces of ``piece`` if there are threads to wake.

    That takes longer than SMALL elements do. What is computed does not depend on the pieces.
    """
    if not size:
        return
    places = [*map(_place, ins), *[0] * (len(INS) - len(ins)), *map(_place, outs)]
    places += [0] * (len(INS) + len(OUTS) - len(places))
    record, is_small = recording.current(), size <= SMALL
    if record is not None:
        record.hold(slots, *outs, *ins)
    elif is_small or threads.get_num_threads() == 1:
        tile.entry(*places, _place(slots), 0, size)
        return
    from . import spread

    spread.each(tile.address, places, _place(slots), size, size if is_small else piece)


def _place(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


class _Elements(Loop):
    """The tile of a pointwise function."""

    def write(self, code: Any) -> None:
        places = [code.variable(code[name]) for name in (*INS, *OUTS)]
        lanes = code.integer(self.lanes)
        self._loop(code, places, code.build.udiv(code["count"], lanes))
        code.resize(1)
        self._loop(code, places, code.build.urem(code["count"], lanes))

    def _loop(self, code: Any, places: list[Any], count: Any) -> None:
        from .formula import Value

        scalars = [code.spread(code["scalars"], n) for n in range(self.function.scalars)]
        with code.loop(count):
            ins = [code.load(code.get(place)) for place in places[: self.function.ins]]
            made = self.function.formula(*(Value(code, raw) for raw in (*ins, *scalars)))
            made = made if isinstance(made, tuple) else (made,)
            for value, place in zip(made, places[len(INS) :], strict=False):
                code.store(value.raw, code.get(place))
            for place in places:
                code.step(place, 4 * code.lanes)
