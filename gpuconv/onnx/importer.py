"""An ONNX model as a Graph that can be trained."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..data.preprocessing import KEY, Preprocessing
from ..errors import GpuconvError, OnnxError
from ..graph import Graph
from ..layers import Parameter
from ..layers.base import Layer
from ..layers.parameter import Tensorlike
from ..nodes import Handle
from . import operators_point, operators_window
from .operators import OPERATORS, Call, Constant, Known, Value
from .operators_shape import folded, is_folded
from .reader import Source, array, read

# Elements that constants may take beyond four times the initialisers, and ConstantOfShape's.
FOLDED, FILLED = 2**20, 2**28
# Importing them registers their operators.
_REGISTERED = (operators_point, operators_window)


class Imported(Graph):
    """A Graph whose state dict has the names of the model's initialisers.

    ``preparation`` is how images are prepared, where the file says so as gpuconv writes it. A
    matrix that ONNX stores as (inputs, outputs) is held, and saved, as (outputs, inputs).
    """

    records = Graph.records

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, str] = {}
        self.preparation: Preprocessing | None = None

    def _named(self, kind: type, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
        for path, place in super()._named(kind, "", seen):
            yield prefix + self.keys.get(path, path), place


def load(path_or_bytes: str | Path | bytes) -> Imported:
    """The model as a Graph, its initialisers as parameters: opset 6 to the current one.

    Raises OnnxError for a file that is no whole model, operators outside the set (all of them in
    one message, with counts), and whatever does not fit, naming node and tensor; nothing of the
    model is run.
    """
    source = read(path_or_bytes)
    try:
        _require_known(source)
        importer = _Importer(source)
        for proto in source.graph.node:
            importer.convert(proto)
        return importer.finish()
    except UnicodeDecodeError as error:  # protobuf looks at a name when it is read
        raise OnnxError(f"onnx: a name in the model is no UTF-8: {error}") from error


def _require_known(source: Source) -> None:
    unknown = Counter(
        f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        for node in source.graph.node
        if node.domain not in ("", "ai.onnx")
        or not (node.op_type in OPERATORS or is_folded(node.op_type))
    )
    if unknown:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(unknown.items()))
        raise OnnxError(
            f"onnx: operators outside the set: {listed}; supported: {', '.join(sorted(OPERATORS))}"
        )


class _Importer:
    """What is known so far: tensors by name, parameters by initialiser."""

    def __init__(self, source: Source) -> None:
        self.source, self.net = source, Imported()
        self.known: dict[str, Known] = {}
        self.parameters: dict[tuple[str, bytes], Parameter] = {}
        self.names: dict[int, str] = {}
        self.readers = Counter(name for node in source.graph.node for name in node.input)
        self.later = {name for node in source.graph.node for name in node.output}
        self.left = {"folded": FOLDED, "filled": FILLED}
        self.readers.update(value.name for value in source.graph.output)
        for tensor in source.graph.initializer:
            values = array(tensor, source.folder, f"initialiser {tensor.name!r}")
            self._define(tensor.name, Constant(values, tensor.name))
            self.left["folded"] += 4 * values.size
        for value in source.graph.input:
            if value.name not in self.known:
                self._input(value)

    def _define(self, name: str, found: Known) -> None:
        if not name or name in self.known:
            raise OnnxError(f"onnx: the tensor {name!r} is made twice, or has no name")
        self.known[name] = found

    def _input(self, value: Any) -> None:
        kind = value.type.tensor_type
        if kind.elem_type not in (1, 11):
            raise OnnxError(
                f"onnx: input {value.name!r} has element type {kind.elem_type}; expected float32 "
                "or float64"
            )
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        if any(size is not None and size < 0 for size in sizes):
            raise OnnxError(f"onnx: input {value.name!r} has shape {sizes}; expected none below 0")
        is_batched = bool(sizes) and not sizes[0]
        rest = tuple(size for size in sizes[1:] if size)
        is_known = bool(sizes) and len(rest) == len(sizes) - 1
        shape = (sizes[0] or 1, *rest) if is_known else None
        handle = self.net.input(self._free(value.name))
        self._define(value.name, Value(handle, shape, is_batched))
        if shape is not None and len(shape) == 4 and not hasattr(self.net, "input_shape"):
            self.net.input_shape = rest

    def _free(self, wanted: str) -> str:
        """A node's name as a Graph takes it: no '.', and nobody else's."""
        base = name = re.sub(r"\.", "_", wanted) or "node"
        taken, number = {*self.net.inputs, *self.net.children()}, 1
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        return name

    def convert(self, proto: Any) -> None:
        """Add a node to the graph; raises OnnxError naming it."""
        call = self._call(proto)
        is_known = all(found is None or isinstance(found, Constant) for found in call.inputs)
        try:
            if is_folded(proto.op_type) and is_known:
                made: Known = folded(call)
            elif proto.op_type in OPERATORS:
                made = OPERATORS[proto.op_type](call)
            else:
                raise call.fail("is supported only where its inputs are known at import")
        except OnnxError:
            raise
        except GpuconvError as error:
            raise call.fail(str(error)) from error
        self._define(proto.output[0], made)

    def _call(self, proto: Any) -> Call:
        given = self._applier(proto), self._parameter, self.readers, self.names, self.left
        call = Call(proto, self.source.opset, [], *given)
        if not proto.output:
            raise call.fail("makes no tensor")
        for name in proto.input:
            if name and name not in self.known:
                why = "made by itself or a later node: a cycle" if name in self.later else "missing"
                raise call.fail(f"its input {name!r} is {why}")
        call.inputs = [self.known[name] if name else None for name in proto.input]
        return call

    def _applier(self, proto: Any) -> Any:
        def apply(layer: Layer, handles: list[Handle]) -> Handle:
            name = self._free(proto.name or f"{proto.op_type}_{proto.output[0]}")
            return self.net.apply(layer, *handles, name=name)

        return apply

    def _parameter(self, constant: Constant, values: np.ndarray) -> Parameter:
        """One parameter for an initialiser that several nodes read the same way."""
        key = constant.name, repr((values.shape, values.strides)).encode()
        held = self.parameters.get(key)
        if held is None or not np.array_equal(held.value, values, equal_nan=True):
            held = self.parameters[key] = Parameter(values)
        self.names[id(held)] = constant.name
        return held

    def _prepare(self) -> None:
        """Let the net take the images that the metadata speaks of."""
        if KEY not in self.source.metadata:
            return
        try:
            self.net.preparation = Preprocessing.loads(self.source.metadata[KEY], "onnx")
        except GpuconvError as error:
            raise OnnxError(f"onnx: the metadata {KEY!r} makes no sense: {error}") from error
        self.net.preparation.put_on(self.net)

    def finish(self) -> Imported:
        """The graph with its outputs and keys; raises OnnxError for an output nobody makes."""
        outputs = []
        for value in self.source.graph.output:
            found = self.known.get(value.name)
            if not isinstance(found, Value):
                raise OnnxError(f"onnx: no node computes the output {value.name!r}")
            outputs.append(found.handle)
        if not outputs or not self.net.nodes:
            raise OnnxError("onnx: the model has no output that a node computes")
        self.net.output(*outputs)
        self._prepare()
        paths = [(path, p) for path, p in self.net._named(Tensorlike, "", set())]
        taken: set[str] = {path for path, place in paths if id(place) not in self.names}
        for path, place in paths:
            name = self.names.get(id(place), path)
            if id(place) in self.names and name not in taken:
                self.net.keys[path] = name
            taken.add(name)
        return self.net
