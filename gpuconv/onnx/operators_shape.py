"""Operators of ONNX that move values or join them, and arithmetic on shapes, which is folded."""

from math import prod
from typing import Any

import numpy as np

from ..layers import Add, Concat, Conv2d, PadChannels, ZeroPad2d
from .operators import Call, Constant, Known, Value, operator
from .operators_layers import Reshape

# What may be computed at import.
MOVES = ("Cast", "Concat", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Transpose")
SUMS = ("Add", "Sub", "Mul", "Div", "Sqrt", "Neg", "Min", "Max", "Floor", "Ceil", "ReduceProd")
RENAMED = ("Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
FOLDED = {*MOVES, *SUMS, "Identity"}


def is_folded(kind: str) -> bool:
    """Whether the operator is computed at import where all its inputs are known."""
    return kind in FOLDED


def folded(call: Call) -> Constant:
    """The node's value from constants, by ONNX's own reference.

    A size of the batch may be moved, never computed with. Raises OnnxError if it is, or if the node
    cannot be evaluated.
    """
    known = [found for found in call.inputs if isinstance(found, Constant)]
    has_batch = any(found.has_batch for found in known)
    if has_batch and call.kind in SUMS:
        raise call.fail("computes with the size of the batch, which the model leaves open")
    call.take("folded", _most(call, [found.array for found in known]))
    made = np.asarray(_evaluate(call))
    is_same = call.kind in RENAMED and made.dtype.kind == "f"  # weights keep their initialiser
    name = known[0].name if is_same else call.proto.output[0]
    return Constant(made, name, has_batch and bool((made == 0).any()))


def _most(call: Call, arrays: list[np.ndarray]) -> int:
    """More elements than the node can make."""
    if call.kind not in SUMS and call.kind != "Gather":
        return sum(found.size for found in arrays)
    return prod(found.size for found in arrays)


def _evaluate(call: Call) -> Any:
    """One node by onnx.reference; whatever it raises on a malformed node is that node's fault."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = [name for name in call.proto.input if name]
    both = zip(call.proto.input, call.inputs, strict=True)
    values: Any = {name: found.array for name, found in both if isinstance(found, Constant)}
    unknown = [_untyped(name) for name in names]
    made = _untyped(call.proto.output[0])
    graph = helper.make_graph([call.proto], "folded", unknown, [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", call.opset)])
    try:
        found: Any = ReferenceEvaluator(model).run(None, values)
        return found[0]
    except Exception as error:
        raise call.fail(f"cannot be computed from its constants: {error}") from error


def _untyped(name: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)


@operator("Constant")
def _constant(call: Call) -> Constant:
    from .reader import array

    tensor = call.get("value", "t", None)
    made: Any
    if tensor is not None:
        made = array(tensor, None, f"the value of node {call.proto.name!r}")
    elif (found := call.get("value_ints", "ints", None)) is not None:
        made = np.array(found, np.int64)
    elif (found := call.get("value_floats", "floats", None)) is not None:
        made = np.array(found, np.float32)
    elif (found := call.get("value_int", "i", None)) is not None:
        made = np.int64(found)
    elif (found := call.get("value_float", "f", None)) is not None:
        made = np.float32(found)
    else:
        raise call.fail("holds no value of numbers")
    return Constant(np.asarray(made), call.proto.output[0])


@operator("ConstantOfShape")
def _constant_of_shape(call: Call) -> Constant:
    """One number seen many times: it takes memory where a layer makes a parameter of it."""
    from .reader import array

    shape, tensor = call.integers(0, "shape", ()), call.get("value", "t", None)
    if min(shape, default=0) < 0:
        raise call.fail(f"asks for shape {shape}; expected none below 0")
    call.take("filled", prod(shape))
    value = np.zeros(1, np.float32) if tensor is None else array(tensor, None, "value")
    if value.size != 1:
        raise call.fail(f"value holds {value.size} numbers; expected one")
    return Constant(np.broadcast_to(value.reshape(()), shape), call.proto.output[0])


@operator("Shape")
def _shape(call: Call) -> Constant:
    source, shape = call.value(), call.shape()
    start, end = call.get("start", "i", 0), call.get("end", "i", None)
    sizes = [0 if source.is_batched and axis == 0 else size for axis, size in enumerate(shape)]
    found = np.array(sizes[start:end], np.int64)
    return Constant(found, call.proto.output[0], source.is_batched and 0 in found)


@operator("Identity")
def _identity(call: Call) -> Known:
    return call.value()


@operator("Flatten")
def _flatten(call: Call) -> Value:
    shape, axis = call.value().shape, call.get("axis", "i", 1)
    rank = 2 if shape is None else len(shape)
    if not -rank <= axis <= rank or axis % rank != 1:
        raise call.fail(f"axis is {axis}; supported: 1, after the batch")
    return call.add(Reshape((0, -1)))


@operator("Reshape")
def _reshape(call: Call) -> Value:
    target = call.constant(1)
    sizes = tuple(np.atleast_1d(target.array).tolist()) if target else call.get("shape", "ints", ())
    if not all(type(size) is int and -1 <= size < 2**62 for size in sizes) or sizes.count(-1) > 1:
        raise call.fail(f"shape is {sizes}; expected sizes, at most one of them -1")
    if target is not None and target.has_batch and (sizes[0] != 0 or 0 in sizes[1:]):
        raise call.fail(f"moves the batch, shape is {sizes}; supported: the batch stays first")
    if call.get("allowzero", "i", 0) and 0 in sizes:
        raise call.fail("allowzero with a size of 0 makes an empty value")
    return _reshaped(call, sizes)


def _reshaped(call: Call, sizes: tuple[int, ...]) -> Value:
    """The batch stays free where it is copied or is what remains."""
    source = call.value()
    made = call.add(Reshape(sizes))
    if source.is_batched and sizes[:1] not in ((0,), (-1,)) and -1 in sizes:
        return Value(made.handle, None, False)
    is_batched = source.is_batched and sizes[:1] in ((0,), (-1,))
    return Value(made.handle, made.shape, is_batched)


@operator("Squeeze")
def _squeeze(call: Call) -> Value:
    shape, rank = call.shape(), len(call.shape())
    axes = call.integers(1, "axes")
    if axes is None or not all(-rank <= a < rank and shape[a] == 1 and a % rank for a in axes):
        raise call.fail(f"axes {axes} of {shape} must be of size 1, and not the batch")
    rest = [size for axis, size in enumerate(shape) if axis not in {a % rank for a in axes}]
    return _reshaped(call, (0, *rest[1:]))


@operator("Unsqueeze")
def _unsqueeze(call: Call) -> Value:
    shape, axes = call.shape(), call.integers(1, "axes", ())
    rank = len(shape) + len(axes)
    if not all(-rank <= axis < rank and axis % rank for axis in axes):
        raise call.fail(f"axes {axes} must be after the batch, among {rank}")
    rest = list(shape)
    for axis in sorted(axis % rank for axis in axes):
        rest.insert(axis, 1)
    return _reshaped(call, (0, *rest[1:]))


@operator("Concat")
def _concat(call: Call) -> Value:
    values = [call.value(number) for number in range(len(call.inputs))]
    return call.add(Concat(call.get("axis", "i", 1)), *values)


@operator("Add", "Sum")
def _add(call: Call) -> Value:
    known = [found for found in call.inputs if found is not None]
    if len(known) == 1:
        return call.value()
    values = [found for found in known if isinstance(found, Value)]
    if len(known) == 2 and len(values) == 1:
        (bias,) = (found for found in known if isinstance(found, Constant))
        made = call.with_bias(values[0], bias)
        if made is None:
            raise call.fail(f"adds {bias.name}, {bias.array.shape}; supported: one layer's bias")
        return made
    made = call.value(0)
    for number in range(1, len(known)):
        made = call.add(Add(), made, call.value(number))
    return made


@operator("Mul")
def _mul(call: Call) -> Value:
    """A factor for each channel of an image, which is a 1 x 1 convolution by depth."""
    order = (0, 1) if isinstance(call.inputs[0], Value) else (1, 0)
    x, factors = call.value(order[0]), call.weights(order[1])
    shape = x.shape
    if shape is None or len(shape) != 4 or factors.array.size != shape[1]:
        raise call.fail(f"multiplies by {factors.array.shape}; supported: one factor per channel")
    if factors.array.shape not in ((shape[1], 1, 1), (1, shape[1], 1, 1)):
        raise call.fail(f"multiplies by {factors.array.shape}; supported: one factor per channel")
    made = Conv2d(shape[1], shape[1], 1, groups=shape[1], bias=False)
    call.assign(made, "weight", factors, factors.array.reshape(-1, 1, 1, 1))
    return call.add(made, x)


@operator("Pad")
def _pad(call: Call) -> Value:
    pads = call.integers(1, "pads", call.get("paddings", "ints", ()))
    if call.text("mode", "constant") != "constant" or call.scalar(2, "value", 0.0):
        raise call.fail("pads with more than zeros")
    if len(pads) != 8 or pads[0] or pads[4] or min(pads) < 0 or call.constant(3) is not None:
        raise call.fail(f"pads {pads}: supported are zeros around the channels and the image")
    made = call.value()
    if pads[1] or pads[5]:
        made = call.add(PadChannels(pads[1], pads[5]), made)
    return call.add(ZeroPad2d(((pads[2], pads[6]), (pads[3], pads[7]))), made)
