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
        sums = self._along_vectors(code, a, b)
        code.resize(self.columns)
        with code.when(code["bias"]):
            start = code.load(code["bias"])
            for place in sums:
                code.put(place, code.build.fadd(code.get(place), start))
        self._along_rest(code, a, b, sums)
        rows = [code.row(code["c"], code["c_row"], m) for m in range(self.rows)]
        code.deliver(sums, rows, is_relu=True)
        return code.finish()

    def _along_vectors(self, code: Any, a: Any, b: Any) -> list[Any]:
        """The sums of each row, in one vector of columns."""
        sums = [[code.variable(code.zero()) for _ in range(self.columns)] for _ in range(self.rows)]
        with code.loop(code["whole"]):
            code.fence()
            at = code.get(a)
            values = [code.load(code.row(at, code["a_row"], m)) for m in range(self.rows)]
            for o in range(self.columns):
                factor = code.load(code.row(code.get(b), code["b_row"], o))
                for value, places in zip(values, sums, strict=True):
                    code.put(places[o], code.fma(value, factor, code.get(places[o])))
            code.step(a, 4 * self.lanes)
            code.step(b, 4 * self.lanes)
        return [code.variable(code.totals([code.get(p) for p in places])) for places in sums]

    def _along_rest(self, code: Any, a: Any, b: Any, sums: list[Any]) -> None:
        with code.loop(code["rest"]):
            at = code.get(b)
            factor = code.gather([code.row(at, code["b_row"], o) for o in range(self.columns)])
            for m, place in enumerate(sums):
                value = code.spread(code.row(code.get(a), code["a_row"], m))
                code.put(place, code.fma(value, factor, code.get(place)))
            code.step(a, 4)
            code.step(b, 4)


@dataclass(frozen=True)
class Panel:
    """C[m] = sum over d < ``depth`` of A[d, m] * B[d], for m < ``rows``; C[m], B[d]: ``lanes``.

    B (depth, lanes) is dense. Rows of A, ``a_row`` bytes apart, are A[d]; or, if they run ``along``
    the depth, A[:, m]. Those of C lie ``c_row`` bytes apart.
    """

    rows: int
    lanes: int
    along: bool = False

    PARAMETERS = ("a", "a_row", "b", "c", "c_row", "add", "depth")

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"panel_{self.rows}_{self.lanes}_{int(self.along)}"

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
                value = self._element(code, code.get(a), m)
                code.put(place, code.fma(value, factor, code.get(place)))
            code.step(a, 4 if self.along else code["a_row"])
            code.step(b, 4 * self.lanes)
        rows = [code.row(code["c"], code["c_row"], m) for m in range(self.rows)]
        code.deliver(sums, rows)
        return code.finish()

    def _element(self, code: Any, a: Any, m: int) -> Any:
        return code.spread(code.row(a, code["a_row"], m)) if self.along else code.spread(a, m)


@dataclass(frozen=True)
class Sweep:
    """C[m] = C[m] + sum over d < ``depth`` of A[m, d] * B[d], for m < ``rows``, from end to end.

    Rows of A, B and C lie ``a_row``, ``b_row`` and ``c_row`` bytes apart; B[d] and C[m] are
    ``whole`` vectors of ``lanes``, and then ``rest`` single elements.
    """

    rows: int
    depth: int
    lanes: int

    PARAMETERS = ("a", "a_row", "b", "b_row", "c", "c_row", "whole", "rest")

    @property
    def name(self) -> str:
        """The name of its function."""
        return f"sweep_{self.rows}_{self.depth}_{self.lanes}"

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        b, c = code.variable(code["b"]), code.variable(code["c"])
        self._along(code, code["whole"], b, c)
        code.resize(1)
        self._along(code, code["rest"], b, c)
        return code.finish()

    def _along(self, code: Any, count: Any, b: Any, c: Any) -> None:
        starts = [code.row(code["a"], code["a_row"], m) for m in range(self.rows)]
        factors = [[code.spread(start, d) for d in range(self.depth)] for start in starts]
        with code.loop(count):
            at, to = code.get(b), code.get(c)
            values = [code.load(code.row(at, code["b_row"], d)) for d in range(self.depth)]
            for m, row in enumerate(factors):
                place = code.row(to, code["c_row"], m)
                total = code.load(place)
                for value, factor in zip(values, row, strict=True):
                    total = code.fma(value, factor, total)
                code.store(total, place)
            code.step(b, 4 * code.lanes)
            code.step(c, 4 * code.lanes)


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
