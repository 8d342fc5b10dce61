"""Vectors inside tasks: values of some lanes each, which Numba then keeps in registers.

    @task("x y size")
    def double(g, i):
        x = load(g.x + 64 * i, 16)
        store(x + x, g.y + 64 * i)

The number of lanes is a constant: of the module, or of the function around the task. LLVM cuts a
vector into as many registers as the CPU needs for it, so that results do not depend on their width.
``+ - * /`` work lane by lane, without fusing. Addresses are integers.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

INT, LANE = types.int64, ir.IntType(32)
WORDS = {operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div"}


class Vector(types.Type):
    """Numba's type of a vector: what its elements are, and how many."""

    def __init__(self, kind: Any, lanes: int) -> None:
        self.kind, self.lanes = kind, lanes
        super().__init__(f"Vector({kind}, {lanes})")


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, _llvm(vector))


def _llvm(vector: Vector) -> Any:
    element = {
        types.boolean: ir.IntType(1),
        types.int32: ir.IntType(32),
        types.float32: ir.FloatType(),
        types.float64: ir.DoubleType(),
    }[vector.kind]
    return ir.VectorType(element, vector.lanes)


def _operator(function: Callable, word: str) -> None:
    @type_callable(function)
    def kind(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            return a if isinstance(a, Vector) and a == b else None

        return typer

    @lower_builtin(function, Vector, Vector)
    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        is_float = signature.return_type.kind in (types.float32, types.float64)
        return getattr(build, f"f{word}" if is_float else word)(*given)


for _function, _word in WORDS.items():
    _operator(_function, _word)


def _constant(lanes: Any) -> int:
    if not isinstance(lanes, types.IntegerLiteral):
        raise RequireLiteralValue("the number of lanes must be a constant")
    return int(lanes.literal_value)


def _place(build: Any, address: Any, kind: Any) -> Any:
    return build.inttoptr(address, kind.as_pointer())


def _loader(kind: Any) -> Any:
    @intrinsic(prefer_literal=True)
    def loader(typingctx: Any, address: Any, lanes: Any) -> Any:
        result = Vector(kind, _constant(lanes))

        def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
            value = build.load(_place(build, given[0], _llvm(result)))
            value.align = kind.bitwidth // 8
            return value

        return result(INT, lanes), emit

    return loader


load, load_ints, load_doubles = map(_loader, (types.float32, types.int32, types.float64))


@intrinsic
def double(typingctx: Any, address: Any) -> Any:
    """The one double at an address."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return build.load(_place(build, given[0], ir.DoubleType()))

    return types.float64(INT), emit


@intrinsic(prefer_literal=True)
def load_some(typingctx: Any, address: Any, count: Any, lanes: Any) -> Any:
    """The first ``count`` floats at an address, all lanes at most, and 0 in the other lanes."""
    result = Vector(types.float32, _constant(lanes))

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        kind, mask = _llvm(result), _first(build, given[1], result.lanes)
        place, align = _place(build, given[0], kind), ir.Constant(LANE, 4)
        with build.if_else(_is_whole(build, given[1], result.lanes)) as (whole, part):
            with whole:
                every = build.load(place)
                every.align = 4
                after_whole = build.block
            with part:
                name = f"llvm.masked.load.v{result.lanes}f32.p0"
                some = _llvm_call(build, name, kind, [place, align, mask, ir.Constant(kind, None)])
                after_part = build.block
        value = build.phi(kind)
        value.add_incoming(every, after_whole)
        value.add_incoming(some, after_part)
        return value

    return result(INT, INT, lanes), emit


def _is_whole(build: Any, count: Any, lanes: int) -> Any:
    """Masked loads and stores are slow, the latter many times."""
    return build.icmp_signed(">=", count, ir.Constant(count.type, lanes))


def _first(build: Any, count: Any, lanes: int) -> Any:
    """A mask of the lanes below ``count``."""
    numbers = ir.Constant(ir.VectorType(LANE, lanes), list(range(lanes)))
    return build.icmp_signed("<", numbers, _spread(build, build.trunc(count, LANE), lanes))


def _spread(build: Any, value: Any, lanes: int) -> Any:
    empty = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    lane = build.insert_element(empty, value, ir.Constant(LANE, 0))
    return build.shuffle_vector(lane, empty, ir.Constant(ir.VectorType(LANE, lanes), [0] * lanes))


def _llvm_call(build: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [a.type for a in arguments])
    module = build.module
    known = module.globals.get(name) or ir.Function(module, kind, name)
    return build.call(known, arguments)


@intrinsic
def store(typingctx: Any, vector: Any, address: Any) -> Any:
    """Write a vector at an address."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        place = _place(build, given[1], _llvm(vector))
        build.store(given[0], place).align = vector.kind.bitwidth // 8
        return context.get_dummy_value()

    return types.void(vector, INT), emit


@intrinsic
def store_some(typingctx: Any, vector: Any, address: Any, count: Any) -> Any:
    """Write the first ``count`` floats at an address, all lanes at most."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        mask = _first(build, given[2], vector.lanes)
        place, align = _place(build, given[1], _llvm(vector)), ir.Constant(LANE, 4)
        with build.if_else(_is_whole(build, given[2], vector.lanes)) as (whole, part):
            with whole:
                build.store(given[0], place).align = 4
            with part:
                name = f"llvm.masked.store.v{vector.lanes}f32.p0"
                _llvm_call(build, name, ir.VoidType(), [given[0], place, align, mask])
        return context.get_dummy_value()

    return types.void(vector, INT, INT), emit


@intrinsic(prefer_literal=True)
def spread(typingctx: Any, value: Any, lanes: Any) -> Any:
    """A number (float32 or int32) in every lane."""
    result = Vector(types.unliteral(value), _constant(lanes))

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return _spread(build, given[0], result.lanes)

    return result(result.kind, lanes), emit


@intrinsic
def keep(typingctx: Any, vector: Any, count: Any) -> Any:
    """The first ``count`` lanes, and 0 in the others."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        zero = ir.Constant(_llvm(vector), None)
        return build.select(_first(build, given[1], vector.lanes), given[0], zero)

    return vector(vector, INT), emit


@intrinsic
def wins(typingctx: Any, value: Any, best: Any) -> Any:
    """Where a maximum changes: ``value`` is above ``best``, or NaN when ``best`` is not."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        value, best = given
        above = build.fcmp_unordered(">", value, best)
        return build.and_(above, build.fcmp_ordered("ord", best, best))

    return Vector(types.boolean, value.lanes)(value, best), emit


@intrinsic
def equal(typingctx: Any, a: Any, b: Any) -> Any:
    """Where two vectors of integers agree."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return build.icmp_signed("==", *given)

    return Vector(types.boolean, a.lanes)(a, b), emit


@intrinsic
def select(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    """``yes`` where the mask holds, else ``no``."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return build.select(*given)

    return yes(mask, yes, no), emit


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, with one rounding where the CPU can."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        bits = a.kind.bitwidth
        return _llvm_call(build, f"llvm.fmuladd.v{a.lanes}f{bits}", given[0].type, list(given))

    return a(a, b, c), emit


@intrinsic
def sqrt(typingctx: Any, vector: Any) -> Any:
    """Square roots."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return _llvm_call(build, f"llvm.sqrt.v{vector.lanes}f32", given[0].type, list(given))

    return vector(vector), emit


@intrinsic
def power(typingctx: Any, vector: Any, exponent: Any) -> Any:
    """Powers, lane by lane: slow, a call for each."""

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        name = f"llvm.pow.v{vector.lanes}f32"
        return _llvm_call(build, name, given[0].type, list(given))

    return vector(vector, exponent), emit


@intrinsic
def widen(typingctx: Any, vector: Any) -> Any:
    """The same floats as doubles."""
    result = Vector(types.float64, vector.lanes)

    def emit(context: Any, build: Any, signature: Any, given: Any) -> Any:
        return build.fpext(given[0], _llvm(result))

    return result(vector), emit
