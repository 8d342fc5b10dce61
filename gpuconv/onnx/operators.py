"""Operators of ONNX as layers: the registry, and what a conversion is given.

A conversion is a function from a ``Call`` to the value that its node makes; the functions stand in
operators_*.py and in no list but this registry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OnnxError
from ..layers import Conv1d, Conv2d, Linear, Parameter
from ..layers.base import Layer
from ..layers.parameter import Tensorlike
from ..nodes import Handle
from ..shapes import Shape
from .operators_layers import owned

KINDS = {"i": 2, "f": 1, "s": 3, "t": 4, "ints": 7, "floats": 6}  # AttributeProto.AttributeType


@dataclass(frozen=True)
class Constant:
    """A value known at import; with ``has_batch`` a 0 in it stands for the size of the batch."""

    array: np.ndarray
    name: str
    has_batch: bool = False


@dataclass(frozen=True)
class Value:
    """A value known at run time: its handle, its shape as far as known, whether axis 0 is free.

    Where axis 0 is free it counts as 1 in ``shape``. ``maker`` is the layer that makes the value,
    if nothing else does.
    """

    handle: Handle
    shape: Shape | None
    is_batched: bool
    maker: Layer | None = None


Known = Constant | Value
Conversion = Callable[["Call"], Known]
OPERATORS: dict[str, Conversion] = {}


def operator(*names: str) -> Callable[[Conversion], Conversion]:
    """Register a conversion under the operators' names."""

    def register(conversion: Conversion) -> Conversion:
        OPERATORS.update(dict.fromkeys(names, conversion))
        return conversion

    return register


@dataclass
class Call:
    """A node about to be converted: its operator, inputs and attributes, and where to put it.

    ``apply(layer, values)`` adds a layer to the graph; ``parameter(constant, array)`` is the
    initialiser's parameter; ``readers`` counts who reads each tensor; ``names`` holds the
    initialiser of each parameter and buffer by its id; ``left`` says how many
    elements constants may still take, those that are computed and those that are filled.
    """

    proto: Any
    opset: int
    inputs: list[Known | None]
    apply: Callable[[Layer, list[Handle]], Handle]
    parameter: Callable[[Constant, np.ndarray], Parameter]
    readers: dict[str, int]
    names: dict[int, str]
    left: dict[str, int]

    @property
    def kind(self) -> str:
        """The operator's name."""
        return self.proto.op_type

    def fail(self, problem: str) -> OnnxError:
        """An error that names the node and the tensor it makes."""
        made = ", ".join(self.proto.output) or "nothing"
        return OnnxError(f"onnx: node {self.proto.name!r} ({self.kind}, makes {made}): {problem}")

    def get(self, name: str, kind: str, default: Any) -> Any:
        """The attribute, or ``default``; raises OnnxError if it is of another type."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                if attribute.type != KINDS[kind]:
                    raise self.fail(f"attribute {name} is of another type than {kind!r}")
                found = getattr(attribute, kind)
                return tuple(found) if kind in ("ints", "floats") else found
        return default

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        return self.get(name, "s", default.encode()).decode("utf-8", "replace")

    def value(self, number: int = 0) -> Value:
        """An input that must come at run time."""
        found = self.inputs[number] if number < len(self.inputs) else None
        if not isinstance(found, Value):
            raise self.fail(f"input {number} must be computed from the model's inputs")
        return found

    def constant(self, number: int) -> Constant | None:
        """An input that must be known at import, None where it is not given."""
        found = self.inputs[number] if number < len(self.inputs) else None
        if isinstance(found, Value):
            raise self.fail(f"input {number} is computed at run time; expected a constant")
        return found

    def needed(self, number: int) -> Constant:
        """As ``constant``, of an input that must be given."""
        found = self.constant(number)
        if found is None:
            raise self.fail(f"input {number} is missing")
        return found

    def integers(self, number: int, name: str, default: Any = None) -> Any:
        """Integers that older opsets hold in attribute ``name``, newer ones in an input."""
        found = self.constant(number)
        if found is None:
            return self.get(name, "ints", default)
        if found.has_batch or found.array.dtype.kind != "i" or found.array.ndim > 1:
            raise self.fail(f"input {number} ({found.name}) must be a list of known integers")
        return tuple(int(n) for n in np.atleast_1d(found.array))

    def scalar(self, number: int, name: str, default: float) -> float:
        """A number that older opsets hold in attribute ``name``, newer ones in an input."""
        found = self.constant(number)
        if found is None:
            return self.get(name, "f", default)
        if found.array.size != 1 or found.has_batch:
            raise self.fail(f"input {number} ({found.name}) must be one number")
        return float(found.array.reshape(()))

    def shape(self, number: int = 0) -> Shape:
        """The shape of a value; raises OnnxError where the model leaves it open."""
        found = self.value(number).shape
        if found is None:
            raise self.fail(f"the shape of {self.proto.input[number]} is not known at import")
        return found

    def weights(self, number: int, ndim: int | None = None) -> Constant:
        """An initialiser to train: floating, of ``ndim`` dimensions."""
        found = self.needed(number)
        if found.array.dtype.kind != "f" or (ndim is not None and found.array.ndim != ndim):
            raise self.fail(
                f"{found.name} is {found.array.dtype} of shape {found.array.shape}; expected "
                f"floating numbers{'' if ndim is None else f' in {ndim} dimensions'}"
            )
        return found

    def add(self, layer: Layer, *values: Value) -> Value:
        """Apply the layer; raises what the layer says of shapes that do not fit."""
        values = values or (self.value(),)
        shape = None
        shapes = [value.shape for value in values if value.shape is not None]
        if len(shapes) == len(values):
            shape = layer.output_shape(*shapes)
            if any(size < 1 for size in shape):
                raise self.fail(f"makes an empty value of shape {shape}")
        handle = self.apply(layer, [value.handle for value in values])
        return Value(handle, shape, any(value.is_batched for value in values), layer)

    def assign(self, layer: Any, slot: str, weights: Constant | None, array: Any = None) -> None:
        """Give the layer an initialiser as parameter ``slot``."""
        if weights is None:
            return
        values = owned(weights.array if array is None else array)
        expected = getattr(layer, slot).shape
        if values.shape != expected:
            raise self.fail(
                f"{weights.name} has shape {weights.array.shape}, which does not fit {expected}"
            )
        setattr(layer, slot, self.parameter(weights, values))

    def take(self, budget: str, elements: int) -> None:
        """Raise OnnxError if the model has used up the memory that its own size entitles it to."""
        self.left[budget] -= elements
        if self.left[budget] < 0:
            raise self.fail(f"asks for {elements} elements, more than constants may take")

    def named(self, place: Tensorlike, constant: Constant) -> None:
        """Save the parameter or buffer under the initialiser's name."""
        self.names[id(place)] = constant.name

    def with_bias(self, source: Value, bias: Constant) -> Value | None:
        """The value with a bias per channel added by its own layer; None if that cannot be.

        MatMul + Add and Conv + Add are a layer with a bias.
        """
        layer, name = source.maker, self.proto.input[self.inputs.index(source)]
        if not isinstance(layer, Linear | Conv2d | Conv1d) or self.readers[name] > 1:
            return None
        inner = {Linear: 0, Conv2d: 2, Conv1d: 1}[type(layer)]
        shape = (layer.weight.shape[0], *(1,) * inner)
        padded = (1, *shape)
        if layer.bias is not None or bias.array.shape not in (shape, padded):
            return None
        layer.bias = self.parameter(bias, owned(bias.array.reshape(shape[:1])))
        return source
