"""Tiles of matrix products whose operands lie as a linear layer has them.

Strides are parameters, in bytes, so that every layer shares the same code.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dots:
    """C[m, o] = bias[o] + sum over k of A[m, k] * B[o, k], for m < ``rows`` and o < ``columns``.

    Rows of A and B run along k; every sum is kept in ``lanes`` parts, which are added in halves.
    ``whole`` vectors of k, and then ``rest`` single ones.
    """

    rows: int
    columns: int
    lanes: int

    PARAMETERS = ("a", "a_row", "b", "b_row", "c", "c_row", "bias", "add", "relu", "whole", "rest")

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"dots_{self.rows}_{self.columns}_{self.lanes}"

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language; ``bias`` 0 means none, ``add`` adds to what C holds."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        a, b = code.variable(code["a"]), code.variable(code["b"])
        sums = self._sums(code)
        self._along(code, code["whole"], a, b, sums)
        parts = [code.total(code.get(place)) for place in sums]
        code.narrow()
        sums = self._sums(code)
        for place, part in zip(sums, parts, strict=True):
            code.put(place, part)
        self._along(code, code["rest"], a, b, sums)
        self._finish(code, sums)
        return code.finish()

    def _sums(self, code: Any) -> list[Any]:
        return [code.variable(code.zero()) for _ in range(self.rows * self.columns)]

    def _along(self, code: Any, count: Any, a: Any, b: Any, sums: list[Any]) -> None:
        with code.loop(count):
            code.fence()
            at = code.get(a), code.get(b)
            factors = [code.load(code.row(at[1], code["b_row"], o)) for o in range(self.columns)]
            for m in range(self.rows):
                value = code.load(code.row(at[0], code["a_row"], m))
                for o, factor in enumerate(factors):
                    place = sums[m * self.columns + o]
                    code.put(place, code.fma(value, factor, code.get(place)))
            code.step(a, 4 * code.lanes)
            code.step(b, 4 * code.lanes)

    def _finish(self, code: Any, sums: list[Any]) -> None:
        with code.when(code["bias"]):
            for n, place in enumerate(sums):
                start = code.load(code["bias"], n % self.columns)
                code.put(place, code.build.fadd(code.get(place), start))
        with code.when(code["add"]):
            for n, place in enumerate(sums):
                before = code.load(self._at(code, n), n % self.columns)
                code.put(place, code.build.fadd(before, code.get(place)))
        with code.when(code["relu"]):
            for place in sums:
                code.put(place, code.relu(code.get(place)))
        for n, place in enumerate(sums):
            code.store(code.get(place), self._at(code, n), n % self.columns)

    def _at(self, code: Any, n: int) -> Any:
        return code.row(code["c"], code["c_row"], n // self.columns)


@dataclass(frozen=True)
class Panel:
    """C[m] = sum over d < ``depth`` of A[d, m] * B[d], for m < ``rows``; C[m], B[d]: ``lanes``.

    A (depth, rows) and B (depth, lanes) are dense; rows of C lie ``c_row`` apart.
    """

    rows: int
    lanes: int

    PARAMETERS = ("a", "b", "c", "c_row", "add", "depth")

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"panel_{self.rows}_{self.lanes}"

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language; ``add`` adds to what C holds."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        a, b = code.variable(code["a"]), code.variable(code["b"])
        sums = [code.variable(code.zero()) for _ in range(self.rows)]
        with code.loop(code["depth"]):
            code.fence()
            factor = code.load(code.get(b))
            for m, place in enumerate(sums):
                value = code.spread(code.get(a), m)
                code.put(place, code.fma(value, factor, code.get(place)))
            code.step(a, 4 * self.rows)
            code.step(b, 4 * self.lanes)
        rows = [code.row(code["c"], code["c_row"], m) for m in range(self.rows)]
        with code.when(code["add"]):
            for row, place in zip(rows, sums, strict=True):
                code.put(place, code.build.fadd(code.load(row), code.get(place)))
        for row, place in zip(rows, sums, strict=True):
            code.store(code.get(place), row)
        return code.finish()


@dataclass(frozen=True)
class Strips:
    """Cuts ``rows`` rows of A, ``row`` bytes apart, into strips of ``lanes``: B (rows, lanes).

    ``count`` strips, which lie side by side in A and ``strip`` bytes apart in B.
    """

    lanes: int

    PARAMETERS = ("a", "row", "b", "strip", "rows", "count")

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"strips_{self.lanes}"

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        a, b = code.variable(code["a"]), code.variable(code["b"])
        with code.loop(code["rows"]):
            source, target = code.variable(code.get(a)), code.variable(code.get(b))
            with code.loop(code["count"]):
                code.store(code.load(code.get(source)), code.get(target))
                code.step(source, 4 * self.lanes)
                code.step(target, code["strip"])
            code.step(a, code["row"])
            code.step(b, 4 * self.lanes)
        return code.finish()
