"""Graph: a layer made of layers, a DAG kept as data. Sequential: a Graph that is a line."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from . import ops
from .errors import GraphError
from .formats import Formatted
from .layers.base import Layer, NeedDx, kept, require_saved
from .limits import current_limits
from .nodes import Handle, Key, Node, Saved, holds, located, require_inputs, travelling
from .nodes import add_gradient as _add
from .nodes import epilogues as _epilogues
from .nodes import keeping as _keeping
from .nodes import needs as _needs
from .random import Stream
from .shapes import Shape
from .summary import Summary, summarize


class Graph(Layer):
    """A layer made of layers; nodes stand in the order they run.

    ``x = g.input("x")``, ``h = g.apply(layer, x, name=None)`` (a tuple of handles for a layer with
    several outputs), ``g.output(*handles)`` (default: the last value). A node can only name values
    that exist, so there is no sort and no cycle. Every value is freed after its last reader. On the
    CPU images may travel from layer to layer in blocks of channels (formats.py); what comes in and
    goes out of the outermost graph is NCHW, and so is what a layer gets that does not say
    ``formats = "any"``.

    A model says which images it takes: ``input_shape`` (C, H, W) of (x / 255 - mean) / std, with
    ``order`` and ``resize`` as in ``gpuconv.data.Preprocessing``.
    """

    records = ("train", "inference")
    formats = "any"
    input_shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str = "RGB"
    resize: int | None = None

    def __init__(self) -> None:
        self._inputs: list[str] = []
        self._nodes: list[Node] = []
        self._output: tuple[Key, ...] | None = None
        self._known: tuple[dict[Key, int], list[str | None]] | None = None

    # Building

    def input(self, name: str = "x") -> Handle:
        """A new input; raises GraphError if the name is taken."""
        self._inputs.append(self._new_name(name))
        self._known = None
        return Handle(self, name)

    def apply(self, layer: Layer, *sources: Handle, name: str | None = None) -> Any:
        """Apply ``layer`` to values.

        Raises GraphError for a foreign handle, a taken name, a number of values that the layer does
        not take, or a layer that holds this graph.
        """
        if not isinstance(layer, Layer):
            raise GraphError(f"apply: expected a Layer, got {layer!r}")
        if holds(layer, self):
            raise GraphError("apply: the layer is or holds this graph; a graph cannot be in itself")
        name = self._default_name(layer) if name is None else self._new_name(name)
        if isinstance(layer, Graph):
            layer._given(sources)
        require_inputs(layer, name, len(sources))
        keys = tuple(self._key(name, source) for source in sources)
        self._nodes.append(Node(name, layer, keys))
        self._known = None
        self._number_parameters()
        handles = tuple(Handle(self, *key) for key in self._nodes[-1].results)
        return handles if len(handles) > 1 else handles[0]

    def output(self, *handles: Handle) -> None:
        """Say which values the graph gives; several make ``forward`` return a tuple."""
        if not handles:
            raise GraphError("output: expected at least one handle")
        self._output = tuple(self._key("output", handle) for handle in handles)
        self._known = None

    def _taken(self) -> set[str]:
        return {*self._inputs, *(node.name for node in self._nodes)}

    def _default_name(self, layer: Layer) -> str:
        """The type and its next number that nobody gave to another node."""
        kind, taken = type(layer).__name__.lower(), self._taken()
        return next(name for k in count() if (name := f"{kind}{k}") not in taken)

    def _new_name(self, name: str) -> str:
        if not isinstance(name, str) or not name or "." in name:
            raise GraphError(f"graph: the name {name!r} must be a non-empty string without '.'")
        if name in self._taken():
            raise GraphError(f"graph: the name {name!r} is taken")
        return name

    def _key(self, name: str, handle: Handle) -> Key:
        if not isinstance(handle, Handle):
            raise GraphError(
                f"graph: {name!r} was given {handle!r}; expected a handle from input() or apply()"
            )
        if handle.graph is not self:
            raise GraphError(f"graph: {name!r} was given {handle}, a value of another graph")
        return handle.name, handle.index

    def _number_parameters(self) -> None:
        for number, parameter in enumerate(self.parameters()):
            parameter.place(0, number)

    # Looking

    @property
    def nodes(self) -> list[Node]:
        """The nodes in the order they run."""
        return list(self._nodes)

    @property
    def inputs(self) -> list[str]:
        """The inputs' names."""
        return list(self._inputs)

    @property
    def result(self) -> tuple[Key, ...]:
        """The values that the graph gives: what ``output`` said, else the last."""
        if self._output is not None:
            return self._output
        if not self._nodes:
            raise GraphError("graph: no layer was applied, so there is no output")
        return self._nodes[-1].results

    @property
    def outputs(self) -> int:  # type: ignore[override]
        """How many values the graph gives."""
        return len(self.result)

    @property
    def aliases(self) -> bool:  # type: ignore[override]
        """Whether an output may share memory with an input."""
        shared = {(name, 0) for name in self._inputs}
        for node in self._nodes:
            if node.layer.aliases and shared.intersection(node.sources):
                shared.update(node.results)
        return bool(shared.intersection(self.result))

    def children(self) -> dict[str, Layer]:
        """The nodes' layers by name."""
        return {node.name: node.layer for node in self._nodes}

    @property
    def draws(self) -> int:
        """How many random streams one training pass takes; a shared layer counts at every node."""
        return sum(node.layer.draws for node in self._nodes)

    def walk(self, *shapes: Shape) -> Iterator[tuple[Node, tuple[Shape, ...], tuple[Shape, ...]]]:
        """Every node with the shapes of its inputs and outputs; raises ShapeError naming it."""
        known = dict(zip(((name, 0) for name in self._given(shapes)), shapes, strict=True))
        for node in self._nodes:
            sources = tuple(known[key] for key in node.sources)
            with located(node):
                made = node.layer.output_shape(*sources)
            results = made if node.layer.outputs > 1 else (made,)
            known.update(zip(node.results, results, strict=True))
            yield node, sources, results

    def output_shape(self, *shapes: Shape) -> Any:
        """Shape of the output, a tuple of shapes for several; raises ShapeError."""
        known = dict(zip(((name, 0) for name in self._given(shapes)), shapes, strict=True))
        for node, _, results in self.walk(*shapes):
            known.update(zip(node.results, results, strict=True))
        found = tuple(known[key] for key in self.result)
        return found if len(found) > 1 else found[0]

    def flops(self, *shapes: Shape) -> int:
        """Operations of the convolutions and matrix products, 2 per multiply-add."""
        return sum(node.layer.flops(*sources) for node, sources, _ in self.walk(*shapes))

    def summary(self, *shapes: Shape, batch_size: int = 1) -> Summary:
        """Shapes, parameters, FLOPs and bytes kept for inputs (C, H, W); print it."""
        return summarize(self, *((batch_size, *shape) for shape in shapes))

    # Running

    def _given(self, values: tuple) -> list[str]:
        if len(values) != len(self._inputs):
            raise GraphError(
                f"graph: got {len(values)} inputs, expected {len(self._inputs)} "
                f"({', '.join(self._inputs) or 'none were declared'})"
            )
        return self._inputs

    def _order(self) -> tuple[dict[Key, int], list[str | None]]:
        """The last reader of every value, and what each node does besides its own."""
        if self._known is None:
            last = {k: i for i, node in enumerate(self._nodes) for k in node.sources}
            last.update(dict.fromkeys(self.result, len(self._nodes)))
            self._known = last, _epilogues(self._nodes, self.result)
        named = current_limits().plan  # a kernel that somebody asked for by name is called
        last, does = self._known
        return last, (_epilogues(self._nodes, self.result, named) if named else does)

    def forward(
        self,
        *xs: Any,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
        need_dx: NeedDx = True,
    ) -> tuple[Any, Any]:
        """The output, a tuple for several; keeps what every node keeps.

        ``need_dx`` as ``backward`` will get it: nodes that it will not go through keep nothing.
        """
        saved = Saved()
        saved.is_outer = Formatted not in map(type, xs)
        names = self._given(xs)
        values: dict[Key, Any] = {(n, 0): travelling(x) for n, x in zip(names, xs, strict=True)}
        del xs
        (last, does), stream = self._order(), 0 if rng is None else rng.stream
        needed = _needs(self._nodes, names, need_dx)
        for number, node in enumerate(self._nodes):
            place = None if rng is None else rng.at(stream)
            with located(node):
                options = {"train": train, "keep": keep, "update": update, "rng": place}
                options |= _keeping(node.layer, needed[number])
                y, state = node.run((values[k] for k in node.sources), does[number], **options)
            stream += node.layer.draws
            saved.append(state)
            made = map(travelling, y if len(node.results) > 1 else (y,))
            values.update(zip(node.results, made, strict=True))
            del y, state, made
            for key in {*node.sources, *node.results}:
                if last.get(key, -1) <= number:
                    del values[key]
        found = tuple(values[key] for key in self.result)
        if saved.is_outer:
            found = tuple(map(ops.bare, found))
        return (found if len(found) > 1 else found[0]), (saved if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds into every gradient; empties ``saved`` as it goes; returns the inputs' gradients."""
        states, given = require_saved(self, saved), dy if self.outputs > 1 else (dy,)
        if len(states) != len(self._nodes):
            raise GraphError("graph: backward was run twice on what one forward saved")
        gradients: dict[Key, Any] = {}
        for key, gradient in zip(self.result, given, strict=True):
            _add(gradients, key, gradient)
        needed = _needs(self._nodes, self._inputs, need_dx)
        for node, need in zip(reversed(self._nodes), reversed(needed), strict=True):
            dys = tuple(gradients.pop(key, None) for key in node.results)
            state = states.pop()
            if need is None or all(d is None for d in dys):
                continue
            with located(node):
                dys = node.given(dys)
                dxs = node.layer.backward(
                    dys if len(dys) > 1 else dys[0], state, need if len(need) > 1 else need[0]
                )
            for key, dx in zip(node.sources, dxs if len(need) > 1 else (dxs,), strict=True):
                if dx is not None:
                    _add(gradients, key, dx)
        dxs = tuple(gradients.get((name, 0)) for name in self._inputs)
        if states.is_outer:
            dxs = tuple(map(ops.bare, dxs))
        return dxs if len(dxs) > 1 else dxs[0]


class Sequential(Graph):
    """Layers in a line; nodes are named 0, 1, 2, ... as in torch.nn.Sequential, or by a dict."""

    records = Graph.records

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        super().__init__()
        self._head = self.input("x")
        for layer in layers:
            if isinstance(layer, Mapping):
                for name, named in layer.items():
                    self.append(named, name)
            else:
                self.append(layer)

    def append(self, layer: Layer, name: str | None = None) -> "Sequential":
        """Add a layer at the end; returns the net."""
        self._head = self.apply(layer, self._head, name=name or str(len(self._nodes)))
        return self

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, number: int) -> Layer:
        return self._nodes[number].layer
