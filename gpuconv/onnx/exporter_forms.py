"""Which ONNX operators a layer is, in evaluation: one function per kind of layer, in a table.

Layers stand below and know nothing of ONNX. The table goes by the exact class: what a subclass
changes is not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import layers
from ..errors import OptionError
from ..layers import Layer
from ..shapes import Shape
from .writer import Writer


@dataclass(frozen=True)
class Site:
    """One application of a layer: its path, the names and shapes of what it reads."""

    writer: Writer
    names: dict[int, str]  # of parameters and buffers in the state dict, by identity
    path: str
    layer: Any
    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]

    @property
    def x(self) -> str:
        """The name of the first input."""
        return self.inputs[0]

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return self.shapes[0]

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its value."""
        return self.writer.node(self.path, op, inputs, **attributes)

    def constant(self, values: Any, dtype: str | None = None) -> str:
        """Values that are no parameters."""
        return self.writer.constant(self.path, values, dtype)

    def place(self, place: Any) -> str:
        """A parameter or buffer of the layer."""
        return self.writer.initializer(self.names[id(place)])

    def places(self, *places: Any) -> list[str]:
        """Those that there are."""
        return [self.place(place) for place in places if place is not None]


Form = Callable[[Site], str]
FORMS: dict[type[Layer], Form] = {}
REFUSED: dict[type[Layer], str] = {}


def form(*kinds: type[Layer]) -> Callable[[Form], Form]:
    """Decorator: the ONNX form of layers of exactly these classes."""

    def register(made: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, made))
        return made

    return register


def refuse(reason: str, *kinds: type[Layer]) -> None:
    """Note why layers of exactly these classes have no ONNX form."""
    REFUSED.update(dict.fromkeys(kinds, reason))


def why_not(layer: Layer) -> str | None:
    """Why a layer has no ONNX form; None if it has one."""
    kind = type(layer)
    return None if kind in FORMS else REFUSED.get(kind, "gpuconv.onnx knows no form of it")


def apply(site: Site) -> str:
    """Write the layer's nodes; returns the name of its value. Raises OptionError without a form."""
    reason = why_not(site.layer)
    if reason is not None:
        raise OptionError(f"onnx.save: {site.path!r}: {reason}")
    return FORMS[type(site.layer)](site)


refuse(
    "a loss is part of training; export the net without it",
    layers.BCEWithLogitsLoss,
    layers.CrossEntropyLoss,
    layers.MSELoss,
)


# Activations


@form(layers.Dropout, layers.Dropout2d)
def _itself(at: Site) -> str:
    return at.x


@form(layers.ReLU)
def _relu(at: Site) -> str:
    return at.node("Relu", at.x)


@form(layers.LeakyReLU)
def _leaky_relu(at: Site) -> str:
    return at.node("LeakyRelu", at.x, alpha=at.layer.negative_slope)


@form(layers.RReLU)
def _rrelu(at: Site) -> str:
    return at.node("LeakyRelu", at.x, alpha=(at.layer.lower + at.layer.upper) / 2)


@form(layers.PReLU)
def _prelu(at: Site) -> str:
    slope = at.place(at.layer.weight)
    inner = len(at.shape) - 2  # ONNX aligns shapes at their ends, and channels are not there
    if inner > 0 and at.layer.weight.size > 1:
        slope = at.node("Reshape", slope, at.constant([-1, *[1] * inner], "int64"))
    return at.node("PRelu", at.x, slope)


@form(layers.Hardtanh, layers.ReLU6)
def _hardtanh(at: Site) -> str:
    low, high = (at.constant(bound) for bound in (at.layer.min_val, at.layer.max_val))
    return at.node("Clip", at.x, low, high)


@form(layers.ELU, layers.SELU)
def _elu(at: Site) -> str:
    if at.layer.scale == 1:
        return at.node("Elu", at.x, alpha=at.layer.alpha)
    return at.node("Selu", at.x, alpha=at.layer.alpha, gamma=at.layer.scale)


@form(layers.Sigmoid)
def _sigmoid(at: Site) -> str:
    return at.node("Sigmoid", at.x)


@form(layers.Tanh)
def _tanh(at: Site) -> str:
    y = at.node("Tanh", _times(at, at.x, at.layer.slope))
    return _times(at, y, at.layer.scale)


def _times(at: Site, value: str, factor: float) -> str:
    return value if factor == 1 else at.node("Mul", value, at.constant(factor))


@form(layers.Softmax)
def _softmax(at: Site) -> str:
    return at.node("Softmax", at.x, axis=1)


@form(layers.LogSoftmax)
def _log_softmax(at: Site) -> str:
    return at.node("LogSoftmax", at.x, axis=1)


# Values moved or joined


@form(layers.Flatten)
def _flatten(at: Site) -> str:
    return at.node("Flatten", at.x, axis=1)


@form(layers.Add)
def _add(at: Site) -> str:
    return at.node("Add", *at.inputs)


@form(layers.Concat)
def _concat(at: Site) -> str:
    return at.node("Concat", *at.inputs, axis=at.layer.axis)


@form(layers.PadChannels, layers.ZeroPad2d)
def _pad(at: Site) -> str:
    before, after = zip((0, 0), *at.layer.border, strict=True)
    return at.node("Pad", at.x, at.constant([*before, *after], "int64"))
