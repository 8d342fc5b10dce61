"""Row by row: sums and maxima of each row of an array, and what is computed from them.

    def softmax(row):
        top = row.largest(lambda x, y: x)
        total = row.fill(lambda x, y: exp(x - top))
        row.fill(lambda x, y: y / total)

    SOFTMAX = Rows(softmax, ins=1)
    SOFTMAX(y, (x,))

Each call on ``row`` is one loop over its vectors, then over what is left.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import simd
from .formula import Value, where
from .pointwise import INS, PIECE, Loop, launch

SHORT = 512  # elements of a row of a total: its sums in float32 lose little
SIZE = 2  # slots of the scalars that hold the length of a row


class Row:
    """One row while its code is being written: ``ins`` and the row of the out."""

    def __init__(self, code: Any, ins: list[Any], out: Any, size: Any) -> None:
        self.code, self._ins, self._out, self._size = code, ins, out, size

    def largest(self, formula: Callable) -> Value:
        """The maximum of ``formula(*ins, out)``; a NaN is overlooked."""

        def larger(a: Value, b: Value) -> Value:
            return where(b > a, b, a)

        return self._reduce(formula, float("-inf"), larger)

    def sum(self, formula: Callable) -> Value:
        """The sum of ``formula(*ins, out)``."""
        return self._reduce(formula, 0.0, lambda a, b: a + b)

    def fill(self, formula: Callable) -> Value:
        """Set the out to ``formula(*ins, out)``; gives the sum of that."""
        return self._reduce(formula, 0.0, lambda a, b: a + b, stores=True)

    def _reduce(self, formula: Callable, start: float, join: Callable, stores: bool = False) -> Any:
        """Lanes first, then these in order, then what whole vectors leave over."""
        code, lanes = self.code, self.code.lanes
        places = [code.variable(address) for address in (*self._ins, self._out)]
        count = code.integer(lanes)
        total = self._loop(formula, start, join, places, code.build.udiv(self._size, count), stores)
        parts = [code.lane(total, n) for n in range(lanes)]
        code.resize(1)
        rest = code.build.urem(self._size, count)
        tail = self._loop(formula, start, join, places, rest, stores)
        code.resize(lanes)
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [join(a, b) for a, b in zip(parts[:half], parts[half:], strict=True)]
        return join(parts[0], tail)

    def _loop(
        self,
        formula: Callable,
        start: float,
        join: Callable,
        places: list[Any],
        count: Any,
        stores: bool,
    ) -> Value:
        code = self.code
        total = code.variable(code.constant(start, code.zero().type).raw)
        with code.loop(count):
            value = formula(*(Value(code, code.load(code.get(place))) for place in places))
            if stores:
                code.store(value.raw, code.get(places[-1]))
            code.put(total, join(Value(code, code.get(total)), value).raw)
            for place in places:
                code.step(place, 4 * code.lanes)
        return Value(code, code.get(total))


class Rows:
    """``trace(row, *scalars)`` for every row of float32 arrays (n, k): ``ins`` and one out.

    What it returns, a tuple of ``kept`` single lanes, is kept for each row. Where a trace fills no
    out, it may be left out.
    """

    def __init__(self, trace: Callable, ins: int, scalars: int = 0, kept: int = 0) -> None:
        self.trace, self.ins, self.scalars, self.kept = trace, ins, scalars, kept
        self._tiles: dict[int, _RowLoop] = {}

    def __call__(
        self, out: np.ndarray | None, ins: Sequence[np.ndarray], *scalars: float
    ) -> np.ndarray:
        """Fill ``out``; the (n, kept) array of what the trace returned."""
        n, k = ins[0].shape
        width = simd.width()
        if width not in self._tiles:
            self._tiles[width] = _RowLoop(self, width)
        slots = np.empty(SIZE + len(scalars), np.float32)
        slots[:SIZE].view(np.int64)[0] = k
        slots[SIZE:] = scalars
        kept = np.zeros((n, self.kept), np.float32)  # empty rows have no loop that sets it
        piece = max(1, PIECE // max(k, 1)) * max(k, 1)
        launch(self._tiles[width], (ins[0] if out is None else out, kept), ins, slots, n * k, piece)
        return kept


class Total:
    """The sum of ``formula(*ins)`` over every element: float32 in short rows, then float64."""

    def __init__(self, formula: Callable, ins: int) -> None:
        def trace(row: Row) -> tuple[Value]:
            return (row.sum(lambda *values: formula(*values[:-1])),)

        self._rows = Rows(trace, ins, kept=1)

    def __call__(self, *ins: np.ndarray) -> float:
        """The sum, in an order that depends on the size alone."""
        flat = [x.reshape(-1) for x in ins]
        whole = flat[0].size // SHORT * SHORT
        rows = self._rows(None, [x[:whole].reshape(-1, SHORT) for x in flat])
        rest = self._rows(None, [x[whole:].reshape(1, -1) for x in flat])
        return float(rows.sum(dtype=np.float64) + rest.sum(dtype=np.float64))


class _RowLoop(Loop):
    """The tile of a ``Rows``."""

    def write(self, code: Any) -> None:
        size = code.load_integer(code["scalars"])
        slots = range(SIZE, SIZE + self.function.scalars)
        code.resize(1)
        scalars = [Value(code, code.spread(code["scalars"], n)) for n in slots]
        code.resize(self.lanes)
        names = (*INS[: self.function.ins], "x")
        places = [code.variable(code[name]) for name in names]
        number = code.build.udiv(code["first"], size)
        before = code.build.mul(code["first"], code.integer(4))
        start = code.build.sub(code["y"], before)  # "y" moves as arrays of elements do
        kept = code.variable(code.row(start, number, 4 * self.function.kept))
        with code.loop(code.build.udiv(code["count"], size)):
            *ins, out = (code.get(place) for place in places)
            row = Row(code, ins, out, size)
            made = self.function.trace(row, *scalars) or ()
            code.resize(1)
            for n, value in enumerate(made):
                code.store(value.raw, code.get(kept), n)
            code.resize(self.lanes)
            for place in places:
                code.step(place, code.build.mul(size, code.integer(4)))
            code.step(kept, 4 * self.function.kept)
