"""Writes one function in LLVM's language: addresses, vectors of float32, loops.

All parameters are 64-bit integers: addresses, strides in bytes, counts. Variables live in memory
until LLVM's own passes give them registers, so that a loop needs no phi nodes here.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from .formula import Value

INT, FLOAT = ir.IntType(64), ir.FloatType()
BYTES = 4  # of a float32
FENCE = ir.FunctionType(ir.VoidType(), [])


def _order(lanes: Iterable[int]) -> Any:
    """Which lanes a shuffle takes."""
    order = list(lanes)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)


class Code:
    """A function ``void name(int64...)`` under construction, whose vectors have ``lanes`` lanes."""

    def __init__(self, name: str, parameters: Sequence[str], lanes: int, fused: bool) -> None:
        self.module = ir.Module(name)
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(parameters))
        self._function = ir.Function(self.module, kind, name)
        self.build = ir.IRBuilder(self._function.append_basic_block("entry"))
        self._given = dict(zip(parameters, self._function.args, strict=True))
        self._vector = ir.VectorType(FLOAT, lanes)
        self._lanes, self._fused = lanes, fused

    @property
    def lanes(self) -> int:
        """Lanes of its vectors."""
        return self._lanes

    def resize(self, lanes: int) -> None:
        """From here on vectors have as many lanes as this."""
        self._lanes, self._vector = lanes, ir.VectorType(FLOAT, lanes)

    @staticmethod
    def integer(value: int) -> Any:
        """A 64-bit constant."""
        return ir.Constant(INT, value)

    def __getitem__(self, parameter: str) -> Any:
        return self._given[parameter]

    def finish(self) -> str:
        """The module's text."""
        self.build.ret_void()
        return str(self.module)

    def variable(self, value: Any) -> Any:
        """A variable that begins as ``value``; ``get`` reads it, ``put`` changes it."""
        with self.build.goto_entry_block():
            place = self.build.alloca(value.type)
        self.put(place, value)
        return place

    def get(self, place: Any) -> Any:
        """The variable's value."""
        return self.build.load(place)

    def put(self, place: Any, value: Any) -> None:
        """Change the variable."""
        self.build.store(value, place)

    def step(self, place: Any, by: Any) -> None:
        """Add to an integer variable."""
        by = ir.Constant(INT, by) if isinstance(by, int) else by
        self.put(place, self.build.add(self.get(place), by))

    @contextmanager
    def loop(self, count: Any) -> Iterator[None]:
        """Repeat what is written inside ``count`` times, 0 included."""
        left = self.variable(count)
        test, body, after = (self.build.append_basic_block(n) for n in ("test", "body", "after"))
        self.build.branch(test)
        self.build.position_at_end(test)
        more = self.build.icmp_signed(">", self.get(left), ir.Constant(INT, 0))
        self.build.cbranch(more, body, after)
        self.build.position_at_end(body)
        yield
        self.step(left, -1)
        self.build.branch(test)
        self.build.position_at_end(after)

    def when(self, value: Any) -> Any:
        """Context manager: what is written inside happens only where ``value`` is not 0."""
        return self.build.if_then(self.build.icmp_signed("!=", value, ir.Constant(INT, 0)))

    def row(self, address: Any, stride: Any, number: int) -> Any:
        """The address ``number`` strides further."""
        return self.build.add(address, self.build.mul(stride, self.integer(number)))

    def totals(self, vectors: Sequence[Any]) -> Any:
        """A vector of every vector's sum over its lanes: halves are added, of two at once."""
        count = 1 << (len(vectors) - 1).bit_length()
        sums, part = [*vectors, *[self.zero()] * (count - len(vectors))], self._lanes
        while len(sums) > 1:
            pairs = zip(sums[::2], sums[1::2], strict=True)
            sums = [self._halved(u, v, part, 2 * self._lanes) for u, v in pairs]
            part //= 2
        total = sums[0]
        while part > 1:
            total, part = self._halved(total, total, part, count * part), part // 2
        return self.build.shuffle_vector(total, total, _order(range(len(vectors))))

    def _halved(self, u: Any, v: Any, part: int, size: int) -> Any:
        """Of the first ``size`` lanes of both: the upper half of each part added to the lower."""
        low = [n for n in range(size) if n % part < part // 2]
        high = [n + part // 2 for n in low]
        halves = [self.build.shuffle_vector(u, v, _order(half)) for half in (low, high)]
        return self.build.fadd(*halves)

    def lane(self, value: Value, number: int) -> Value:
        """One lane of a vector, as a vector of one."""
        return Value(self, self.build.shuffle_vector(value.raw, value.raw, _order([number])))

    def load_integer(self, address: Any) -> Any:
        """The 64-bit integer at an address."""
        return self._aligned(self.build.load(self._at(address, 0, INT)))

    def gather(self, addresses: Sequence[Any]) -> Any:
        """A vector of the elements at these addresses."""
        kind = ir.VectorType(FLOAT, len(addresses))
        vector = ir.Constant(kind, ir.Undefined)
        for lane, address in enumerate(addresses):
            value = self._aligned(self.build.load(self._at(address, 0, FLOAT)))
            vector = self.build.insert_element(vector, value, ir.Constant(ir.IntType(32), lane))
        return vector

    def number(self, value: float) -> Any:
        """A vector of one number."""
        return ir.Constant(self._vector, [value] * self._lanes)

    def zero(self) -> Any:
        """A vector of zeros."""
        return self.number(0.0)

    def space(self, vectors: int) -> Any:
        """The address of room for this many vectors, as long as the function runs."""
        with self.build.goto_entry_block():
            room = self.build.alloca(self._vector, ir.Constant(ir.IntType(32), vectors))
            room.align = BYTES * self._lanes
            return self.build.ptrtoint(room, INT)

    def between(self, value: Any, low: Any, high: Any) -> Any:
        """Whether low <= value < high."""
        least = self.build.icmp_signed(">=", value, low)
        return self.build.and_(least, self.build.icmp_signed("<", value, high))

    def load(self, address: Any, offset: int = 0) -> Any:
        """The vector at ``offset`` elements behind an address."""
        return self._aligned(self.build.load(self._at(address, offset, self._vector)))

    def store(self, vector: Any, address: Any, offset: int = 0) -> None:
        """Write a vector ``offset`` elements behind an address."""
        self._aligned(self.build.store(vector, self._at(address, offset, self._vector)))

    def spread(self, address: Any, offset: int = 0) -> Any:
        """One element, ``offset`` elements behind an address, in every lane."""
        value = self._aligned(self.build.load(self._at(address, offset, FLOAT)))
        empty, first = ir.Constant(self._vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        lane = self.build.insert_element(empty, value, first)
        order = ir.Constant(ir.VectorType(ir.IntType(32), self._lanes), [0] * self._lanes)
        return self.build.shuffle_vector(lane, empty, order)

    def _at(self, address: Any, offset: int, kind: Any) -> Any:
        place = self.build.inttoptr(address, ir.IntType(8).as_pointer())
        place = self.build.gep(place, [ir.Constant(INT, BYTES * offset)])
        return self.build.bitcast(place, kind.as_pointer())

    @staticmethod
    def _aligned(instruction: Any) -> Any:
        instruction.align = BYTES
        return instruction

    def fma(self, a: Any, b: Any, total: Any) -> Any:
        """a * b + total: one rounding where the CPU can, else two."""
        word = "fma" if self._fused else "fmuladd"
        return self._intrinsic(word, a, b, total)

    def constant(self, number: float, kind: Any) -> Value:
        """The number in every lane of a vector of this type."""
        return Value(self, ir.Constant(kind, [number] * kind.count))

    def widened(self, value: Value, count: int) -> Value:
        """A single lane in each of ``count``."""
        return Value(self, self.build.shuffle_vector(value.raw, value.raw, _order([0] * count)))

    def cast(self, word: str, value: Value, target: str) -> Value:
        """Each lane as "float" or "int", of 32 bits, by LLVM's cast of that name."""
        element = FLOAT if target == "float" else ir.IntType(32)
        kind = ir.VectorType(element, value.raw.type.count)
        return Value(self, getattr(self.build, word)(value.raw, kind))

    def intrinsic(self, word: str, value: Value) -> Value:
        """LLVM's own function of one vector of float32."""
        return Value(self, self._intrinsic(word, value.raw))

    def _intrinsic(self, word: str, *vectors: Any) -> Any:
        kind = vectors[0].type
        name = f"llvm.{word}.v{kind.count}f32"
        known = self.module.globals.get(name)
        if known is None:
            known = ir.Function(self.module, ir.FunctionType(kind, [kind] * len(vectors)), name)
        return self.build.call(known, vectors)

    def relu(self, vector: Any) -> Any:
        """0 where the value is at most 0; NaN stays."""
        low = self.build.fcmp_ordered("<=", vector, self.zero())
        return self.build.select(low, self.zero(), vector)

    def first(self, vector: Any, count: Any) -> Any:
        """The first ``count`` lanes, and 0 in the others."""
        kind = ir.VectorType(INT, self._lanes)
        start = self.build.insert_element(ir.Constant(kind, ir.Undefined), count, ir.IntType(32)(0))
        wide = self.build.shuffle_vector(start, start, _order([0] * self._lanes))
        inside = self.build.icmp_signed("<", ir.Constant(kind, list(range(self._lanes))), wide)
        return self.build.select(inside, vector, self.zero())

    def fence(self) -> None:
        """Keep LLVM from loading ahead: the registers are full of sums."""
        barrier = ir.InlineAsm(FENCE, "", "~{memory}", side_effect=True)
        self.build.call(barrier, [])

    def deliver(self, sums: Sequence[Any], places: Sequence[Any], is_relu: bool = False) -> None:
        """Store sums at their addresses: added to what is there if "add", ReLU'd if "relu"."""
        with self.when(self["add"]):
            for total, place in zip(sums, places, strict=True):
                self.put(total, self.build.fadd(self.load(place), self.get(total)))
        if is_relu:
            with self.when(self["relu"]):
                for total in sums:
                    self.put(total, self.relu(self.get(total)))
        for total, place in zip(sums, places, strict=True):
            self.store(self.get(total), place)

    def numbers(self, first: Any) -> tuple[Value, Value]:
        """Low and high words of as many 64-bit numbers as lanes; ``first`` is a multiple of it."""
        word = ir.IntType(32)
        kind = ir.VectorType(word, self._lanes)
        low, high = (
            self.build.insert_element(
                ir.Constant(kind, ir.Undefined), self.build.trunc(part, word), ir.Constant(word, 0)
            )
            for part in (first, self.build.lshr(first, self.integer(32)))
        )
        spread = [
            self.build.shuffle_vector(part, part, _order([0] * self._lanes)) for part in (low, high)
        ]
        counted = self.build.add(spread[0], ir.Constant(kind, list(range(self._lanes))))
        return Value(self, counted), Value(self, spread[1])

    def product(self, value: Value, factor: int) -> tuple[Value, Value]:
        """High and low words of the 64-bit products of unsigned integers."""
        wide = ir.VectorType(INT, value.raw.type.count)
        full = self.build.mul(
            self.build.zext(value.raw, wide), ir.Constant(wide, [factor] * wide.count)
        )
        high = self.build.lshr(full, ir.Constant(wide, [32] * wide.count))
        return tuple(Value(self, self.build.trunc(v, value.raw.type)) for v in (high, full))  # type: ignore[return-value]

    def interleaved(self, four: Sequence[Value], part: int) -> Value:
        """Vector ``part`` of the four that have lane 0 of each in turn, then lane 1, ... ."""
        lanes = self._lanes
        blocks = [(part * lanes + n) // 4 for n in range(lanes)]
        pairs = [
            self.build.shuffle_vector(
                a.raw, b.raw, _order([at + n % 2 * lanes for n, at in enumerate(blocks)])
            )
            for a, b in (four[:2], four[2:])
        ]
        order = _order([n + n % 4 // 2 * lanes for n in range(lanes)])
        return Value(self, self.build.shuffle_vector(*pairs, order))

    def chosen(self, four: Sequence[Value], number: Any) -> Value:
        """The one of four values that has this number."""
        value = four[0].raw
        for n, other in enumerate(four[1:], 1):
            is_it = self.build.icmp_unsigned("==", number, self.integer(n))
            value = self.build.select(is_it, other.raw, value)
        return Value(self, value)
