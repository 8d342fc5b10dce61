"""Tiles: the inner loops of every convolution, with all their sums in vector registers.

A tile's strides are constants of its code, so that every element is read at an address plus a
constant; each set of them is compiled apart, in about a tenth of a second, and kept on disk. Numba
itself cannot keep a tile of sums in registers: it has no arrays but those in memory.

Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD architectures"
(2018), and "High-performance deep learning via a single building block" (2020), whose batch-reduce
matrix product ``Product`` is.
"""

from dataclasses import astuple, dataclass
from typing import Any

UNROLLED = 4  # points of an Outer's loop written out


@dataclass(frozen=True)
class Product:
    """C[m] = bias + sum over the loops, over d < ``depth``, of A[m, d] * B[d], for m < ``rows``.

    C[m] and B[d] are vectors of ``lanes``; A[m, d] is one element, or with ``per_lane`` a vector
    too. A[m, d] lies ``m * row + d * step`` elements behind its address, C[m] is every ``apart``-th
    vector, and B[d] is dense: it is read once through. Three loops around it move A by strides in
    bytes.
    """

    rows: int
    lanes: int
    depth: int
    row: int
    step: int
    per_lane: bool = False
    apart: int = 1

    PARAMETERS = ("a", "b", "c", "bias", "add", "end", "n1", "s1", "n2", "s2", "n3", "s3")

    @property
    def name(self) -> str:
        """The name of its function, which says everything that its code depends on."""
        return "product_" + "_".join(str(int(value)) for value in astuple(self))

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language; ``bias`` 0 means none, ``add`` adds to what C holds.

        ``end`` is twice the number of lanes that hold a channel, where the others must be 0, and 1
        more where what is below 0 must be.
        """
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        sums = [code.variable(code.zero()) for _ in range(self.rows)]
        with code.when(code["bias"]):
            for place in sums:
                code.put(place, code.load(code["bias"]))
        self._loops(code, sums)
        pitch = self.lanes * self.apart
        with code.when(code["add"]):
            for m, place in enumerate(sums):
                total = code.build.fadd(code.load(code["c"], m * pitch), code.get(place))
                code.put(place, total)
        with code.when(code.build.and_(code["end"], code.integer(1))):
            for place in sums:
                code.put(place, code.relu(code.get(place)))
        used = code.build.lshr(code["end"], code.integer(1))
        with code.when(used):
            for place in sums:
                code.put(place, code.first(code.get(place), used))
        for m, place in enumerate(sums):
            code.store(code.get(place), code["c"], m * pitch)
        return code.finish()

    def _loops(self, code: Any, sums: list[Any]) -> None:
        b, outer = code.variable(code["b"]), code.variable(code["a"])
        with code.loop(code["n1"]):
            middle = code.variable(code.get(outer))
            with code.loop(code["n2"]):
                inner = code.variable(code.get(middle))
                with code.loop(code["n3"]):
                    self._steps(code, sums, code.get(inner), code.get(b))
                    code.step(b, 4 * self.lanes * self.depth)
                    code.step(inner, code["s3"])
                code.step(middle, code["s2"])
            code.step(outer, code["s1"])

    def _steps(self, code: Any, sums: list[Any], a: Any, b: Any) -> None:
        read = code.load if self.per_lane else code.spread
        for d in range(self.depth):
            code.fence()
            factor = code.load(b, d * self.lanes)
            for m, place in enumerate(sums):
                value = read(a, m * self.row + d * self.step)
                code.put(place, code.fma(value, factor, code.get(place)))


@dataclass(frozen=True)
class Outer:
    """C[m] = sum over p of A[p, m] * D[p], for m < ``rows``: a tile of a weight gradient.

    C[m] and D[p] are vectors of ``lanes``; A[p, m] is one element, or with ``per_lane`` a vector
    too. A[p, m] lies ``p * point + m * row`` elements behind its address; C and D are dense. One
    loop around it moves A and D by strides in bytes. Few rows are summed in ``parts``, for every
    other point or every fourth: as many sums are under way then as the CPU can work on at once.
    """

    rows: int
    lanes: int
    point: int
    row: int
    per_lane: bool = False
    parts: int = 1

    PARAMETERS = ("a", "d", "c", "add", "n1", "a1", "d1", "whole", "rest")

    @property
    def name(self) -> str:
        """The name of its function, which says everything that its code depends on."""
        return "outer_" + "_".join(str(int(value)) for value in astuple(self))

    def text(self, fused: bool) -> str:
        """The tile in LLVM's language: ``whole`` times UNROLLED points in a row, and ``rest``."""
        from .code import Code

        code = Code(self.name, self.PARAMETERS, self.lanes, fused)
        sums = [code.variable(code.zero()) for _ in range(self.rows * self.parts)]
        a, d = code.variable(code["a"]), code.variable(code["d"])
        with code.loop(code["n1"]):
            row = code.variable(code.get(a)), code.variable(code.get(d))
            self._points(code, sums, row, code["whole"], UNROLLED)
            self._points(code, sums, row, code["rest"], 1)
            code.step(a, code["a1"])
            code.step(d, code["d1"])
        sums = self._joined(code, sums)
        with code.when(code["add"]):
            for m, place in enumerate(sums):
                total = code.build.fadd(code.load(code["c"], m * self.lanes), code.get(place))
                code.put(place, total)
        for m, place in enumerate(sums):
            code.store(code.get(place), code["c"], m * self.lanes)
        return code.finish()

    def _joined(self, code: Any, sums: list[Any]) -> list[Any]:
        """The first part's sums, with those of the others added."""
        for number, place in enumerate(sums[self.rows :]):
            first = sums[number % self.rows]
            code.put(first, code.build.fadd(code.get(first), code.get(place)))
        return sums[: self.rows]

    def _points(
        self, code: Any, sums: list[Any], row: tuple[Any, Any], count: Any, unrolled: int
    ) -> None:
        read = code.load if self.per_lane else code.spread
        a, d = row
        with code.loop(count):
            for p in range(unrolled):
                code.fence()
                slope = code.load(code.get(d), p * self.lanes)
                first = p % self.parts * self.rows
                for m, place in enumerate(sums[first : first + self.rows]):
                    value = read(code.get(a), p * self.point + m * self.row)
                    code.put(place, code.fma(value, slope, code.get(place)))
            code.step(a, 4 * self.point * unrolled)
            code.step(d, 4 * self.lanes * unrolled)
