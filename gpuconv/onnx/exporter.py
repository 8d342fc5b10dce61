"""``save``: a net as an ONNX file, in evaluation, for any size of batch."""

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from .._files import replace_file
from ..data.preprocessing import KEY, Preprocessing
from ..errors import DtypeError, OptionError
from ..graph import Graph
from ..layers import Layer
from ..nodes import require_inputs
from ..shapes import Shape, integer
from . import exporter_norms, exporter_windows  # noqa: F401 - each registers its forms
from .exporter_forms import Site, apply, why_not
from .writer import BATCH, Dims, Writer

OLDEST, OPSET = 15, 17  # batch normalisation is that of 15; what is older than 2022 reads no 17
_BATCHES = 2, 3  # what changes with them is the batch's


def save(
    net: Layer,
    path: str | os.PathLike,
    input_shape: Any = None,
    *,
    opset: int = OPSET,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a net as an ONNX file: evaluation, any batch size; whole or not at all.

    ``input_shape`` is that of one input without the batch, as (C, H, W), or a tuple of such for a
    graph with several; default: the net's own. Initialisers have the names of the state dict. How
    images become what a model takes is in the file's metadata, as ``gpuconv.save`` keeps it;
    ``metadata`` adds strings by name. ``opset`` is 15 or newer, as the package onnx knows.

    Raises OptionError where the package onnx is missing, for layers without an ONNX form (all at
    once), a bad opset or shape, or more values than one file holds; ShapeError for a shape that the
    net does not take, GraphError for another number of inputs, DtypeError for values of several
    float types, RunError if the file cannot be written. Nothing is written then.
    """
    place = Path(path)
    _require_opset(opset)
    shapes = _input_shapes(net, input_shape)
    require_inputs(net, "onnx.save", len(shapes))
    _require_forms(net)
    said = _metadata(net, metadata)
    made = _Export(net)
    replace_file(place, made.content(shapes, opset, said))


class _Export:
    """One net on its way into a Writer."""

    def __init__(self, net: Layer) -> None:
        self.net = net
        places = dict(chain(net.named_parameters(), net.named_buffers()))
        self.names = {id(place): name for name, place in places.items()}
        dtypes = {place.home[1] for place in places.values() if "float" in place.home[1]}
        if len(dtypes) > 1:
            raise DtypeError(
                f"onnx.save: the net has values of {' and '.join(sorted(dtypes))}; make them one "
                "with net.astype"
            )
        self.writer = Writer(net.state_dict(), dtypes.pop() if dtypes else "float32")

    def content(self, shapes: tuple[Shape, ...], opset: int, said: Mapping[str, str]) -> bytes:
        """The file's bytes."""
        gives = self._output_dims(shapes)  # first: it says what does not fit
        known = self.net.inputs if isinstance(self.net, Graph) else _letters(len(shapes))
        inputs = tuple(map(self.writer.name, known))
        batch = tuple((_BATCHES[0], *shape) for shape in shapes)
        found = [
            value if value not in inputs else self.writer.node(value, "Identity", [value])
            for value in self._apply(self.net, "", inputs, batch)
        ]
        outputs = [
            value if value not in found[:i] else self.writer.node(value, "Identity", [value])
            for i, value in enumerate(found)
        ]
        takes: dict[str, Dims] = {
            name: (BATCH, *shape) for name, shape in zip(inputs, shapes, strict=True)
        }
        return self.writer.content(takes, dict(zip(outputs, gives, strict=True)), opset, said)

    def _apply(
        self, layer: Layer, path: str, inputs: tuple[str, ...], shapes: tuple[Shape, ...]
    ) -> tuple[str, ...]:
        if not isinstance(layer, Graph):
            name = path or type(layer).__name__.lower()
            return (apply(Site(self.writer, self.names, name, layer, inputs, shapes)),)
        known = dict(zip(((name, 0) for name in layer.inputs), inputs, strict=True))
        for node, given, _ in layer.walk(*shapes):
            sources = tuple(known[key] for key in node.sources)
            inner = f"{path}.{node.name}" if path else node.name
            results = self._apply(node.layer, inner, sources, given)
            known.update(zip(node.results, results, strict=True))
        return tuple(known[key] for key in layer.result)

    def _output_dims(self, shapes: tuple[Shape, ...]) -> list[Dims]:
        few, more = (
            _several(self.net, self.net.output_shape(*((n, *shape) for shape in shapes)))
            for n in _BATCHES
        )
        return [
            tuple(_dim(*sizes) for sizes in zip(a, b, strict=True))
            for a, b in zip(few, more, strict=True)
        ]


def _dim(few: int, more: int) -> int | str | None:
    if few == more:
        return int(few)
    return BATCH if (few, more) == _BATCHES else None


def _several(net: Layer, shapes: Any) -> tuple[Shape, ...]:
    return tuple(shapes) if net.outputs > 1 else (shapes,)


def _letters(count: int) -> list[str]:
    return ["x"] if count == 1 else [f"x{i}" for i in range(count)]


def _leaves(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """(path, layer) of everything that is no plain graph."""
    if isinstance(layer, Graph) and type(layer).forward is Graph.forward:
        for node in layer.nodes:
            yield from _leaves(node.layer, f"{path}.{node.name}" if path else node.name)
    else:
        yield path, layer


def _require_forms(net: Layer) -> None:
    """Raise OptionError naming every layer that has no ONNX form."""
    strange: dict[tuple[str, str], list[str]] = {}
    for path, layer in _leaves(net):
        reason = why_not(layer)
        if reason is not None:
            strange.setdefault((type(layer).__name__, reason), []).append(path)
    if strange:
        parts = [
            f"{kind} ({', '.join(map(repr, filter(None, paths))) or 'the net'}): {reason}"
            for (kind, reason), paths in strange.items()
        ]
        raise OptionError(
            f"onnx.save: layers without an ONNX form: {'; '.join(parts)}; nothing was written"
        )


def _require_opset(opset: int) -> None:
    try:
        from onnx import defs
    except ImportError:
        raise OptionError(
            "onnx.save: needs the package onnx; pip install 'gpuconv[onnx]'"
        ) from None
    newest = defs.onnx_opset_version()
    if integer(opset, "onnx.save: opset", OLDEST) > newest:
        raise OptionError(
            f"onnx.save: opset {opset} is newer than this package onnx knows; expected {OLDEST} to "
            f"{newest}"
        )


def _input_shapes(net: Layer, given: Any) -> tuple[Shape, ...]:
    if not isinstance(net, Layer):
        raise OptionError(f"onnx.save: expected a net, got {type(net).__name__}")
    shape = getattr(net, "input_shape", None) if given is None else given
    if not isinstance(shape, tuple | list):
        raise OptionError(
            f"onnx.save: input_shape must be (C, H, W), without the batch; got {shape!r}"
        )
    several = shape if shape and isinstance(shape[0], tuple | list) else [shape]
    return tuple(
        tuple(integer(size, "onnx.save: input_shape", 1) for size in one) for one in several
    )


def _metadata(net: Layer, given: Mapping[str, str] | None) -> dict[str, str]:
    said = {} if given is None else given
    if not isinstance(said, Mapping) or not all(
        isinstance(text, str) for pair in said.items() for text in pair
    ):
        raise OptionError(f"onnx.save: metadata must be strings by name, got {given!r:.80}")
    own = {KEY: Preprocessing.of(net).dumps()} if hasattr(net, "input_shape") else {}
    return {**own, **said}
