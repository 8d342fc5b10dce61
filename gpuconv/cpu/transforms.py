"""Transforms of small square matrices of vectors: Y = M X M^T, written out for one constant M.

Rows of M that differ in signs only, and such columns, share their arithmetic: of the points +-p of
a Toom-Cook algorithm, one computes the even and the odd part, and their sum and difference.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

Matrix = tuple[tuple[Fraction, ...], ...]
Terms = list[tuple[Fraction, Any]]


@dataclass(frozen=True)
class Transform:
    """Y = M X M^T, whose elements are vectors of ``lanes``, worked on ``width`` at a time.

    Strides are in bytes. ``bounded``: X is 0 outside rows top..bottom and columns left..right, and
    not read there. ``ends``: only the first ``rows`` and ``cols`` of Y are written, after bias (0:
    none) and ReLU.
    """

    matrix: Matrix
    lanes: int
    width: int
    bounded: bool = False
    ends: bool = False

    PARAMETERS = (
        *("x", "x_row", "x_col", "top", "bottom", "left", "right"),
        *("y", "y_row", "y_col", "rows", "cols", "bias", "relu"),
    )

    @property
    def name(self) -> str:
        """The name of its function, which says everything that its code depends on."""
        matrix = hashlib.sha256(str(self.matrix).encode()).hexdigest()[:16]
        flags = f"{int(self.bounded)}_{int(self.ends)}"
        return f"transform_{matrix}_{self.lanes}_{self.width}_{flags}"

    def text(self, fused: bool) -> str:
        """The transform in LLVM's language: rows into a buffer on the stack, columns out of it."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.width, fused)
        results, size = len(self.matrix), len(self.matrix[0])
        space, zeros = code.space(size * results), code.space(1)
        code.store(code.zero(), zeros)
        for first in range(0, self.lanes, self.width):
            self._rows(code, space, zeros, first)
            self._columns(code, space, first)
        return code.finish()

    def _rows(self, code: Any, space: Any, zeros: Any, first: int) -> None:
        results, size = len(self.matrix), len(self.matrix[0])
        x, row = code.variable(_behind(code, "x", first)), code.variable(code.integer(0))
        place = code.variable(space)
        with code.loop(code.integer(size)):
            near = code.get(x)
            addresses = [code.row(near, code["x_col"], j) for j in range(size)]
            if self.bounded:
                known = code.between(code.get(row), code["top"], code["bottom"])
                addresses = [
                    code.build.select(self._is_known(code, known, j), address, zeros)
                    for j, address in enumerate(addresses)
                ]
            values = [code.load(address) for address in addresses]
            for j, value in enumerate(_products(code, self.matrix, values)):
                code.store(value, code.get(place), j * self.width)
            code.step(place, 4 * self.width * results)
            code.step(x, code["x_row"])
            code.step(row, 1)

    @staticmethod
    def _is_known(code: Any, row: Any, column: int) -> Any:
        inside = code.between(code.integer(column), code["left"], code["right"])
        return code.build.and_(row, inside)

    def _columns(self, code: Any, space: Any, first: int) -> None:
        results, size = len(self.matrix), len(self.matrix[0])
        y, place = code.variable(_behind(code, "y", first)), code.variable(space)
        bias = code.variable(code.zero())
        if self.ends:
            with code.when(code["bias"]):
                code.put(bias, code.load(code["bias"], first))
        with code.loop(code["cols"] if self.ends else code.integer(results)):
            values = [code.load(code.get(place), i * self.width * results) for i in range(size)]
            for i, value in enumerate(_products(code, self.matrix, values)):
                target = code.row(code.get(y), code["y_row"], i)
                if self.ends:
                    self._end(code, value, bias, target, i)
                else:
                    code.store(value, target)
            code.step(place, 4 * self.width)
            code.step(y, code["y_col"])

    @staticmethod
    def _end(code: Any, value: Any, bias: Any, target: Any, row: int) -> None:
        total = code.build.fadd(value, code.get(bias))
        relu = code.build.icmp_signed("!=", code["relu"], code.integer(0))
        total = code.build.select(relu, code.relu(total), total)
        with code.build.if_then(code.build.icmp_signed(">", code["rows"], code.integer(row))):
            code.store(total, target)


def _behind(code: Any, name: str, elements: int) -> Any:
    return code.build.add(code[name], code.integer(4 * elements))


def _products(code: Any, matrix: Matrix, values: Sequence[Any]) -> list[Any]:
    """matrix @ values."""
    pairs = _twins(matrix)
    if not pairs:
        matrix, values = _folded(code, matrix, list(values))
    made = {}
    for a, b in pairs:
        same = [x == y for x, y in zip(matrix[a], matrix[b], strict=True)]
        even = _sum(code, [t for t, s in zip(_terms(matrix[a], values), same, strict=True) if s])
        odd = _sum(code, [t for t, s in zip(_terms(matrix[a], values), same, strict=True) if not s])
        made[a], made[b] = code.build.fadd(even, odd), code.build.fsub(even, odd)
    for row, factors in enumerate(matrix):
        if row not in made:
            made[row] = _sum(code, _terms(factors, values))
    return [made[row] for row in range(len(matrix))]


def _folded(code: Any, matrix: Matrix, values: list[Any]) -> tuple[Matrix, list[Any]]:
    """Sums and differences in place of the values whose columns differ in signs only."""
    columns = [list(column) for column in zip(*matrix, strict=True)]
    for a, b in _twins(tuple(map(tuple, columns))):
        same = [x == y for x, y in zip(columns[a], columns[b], strict=True)]
        values[a], values[b] = (
            code.build.fadd(values[a], values[b]),
            code.build.fsub(values[a], values[b]),
        )
        columns[b] = [f if not s else Fraction(0) for f, s in zip(columns[a], same, strict=True)]
        columns[a] = [f if s else Fraction(0) for f, s in zip(columns[a], same, strict=True)]
    return tuple(zip(*columns, strict=True)), values


def _twins(rows: Matrix) -> list[tuple[int, int]]:
    """Pairs of rows that differ in signs only, in some and not in all."""
    found: list[tuple[int, int]] = []
    for a, b in combinations(range(len(rows)), 2):
        used = {row for pair in found for row in pair}
        signs = {(x > 0) == (y > 0) for x, y in zip(rows[a], rows[b], strict=True) if x}
        alike = [abs(x) for x in rows[a]] == [abs(x) for x in rows[b]]
        if alike and len(signs) == 2 and not used & {a, b}:
            found.append((a, b))
    return found


def _terms(factors: Sequence[Fraction], values: Sequence[Any]) -> Terms:
    return list(zip(factors, values, strict=True))


def _sum(code: Any, terms: Terms) -> Any:
    """The sum of factor * value; factors of 1 and -1 are not multiplied."""
    used = sorted((t for t in terms if t[0]), key=lambda t: t[0] != 1)
    (factor, total), *rest = used
    if factor != 1:
        total = code.build.fmul(total, code.number(float(factor)))
    for factor, value in rest:
        if abs(factor) == 1:
            total = (code.build.fadd if factor == 1 else code.build.fsub)(total, value)
        else:
            total = code.fma(value, code.number(float(factor)), total)
    return total
