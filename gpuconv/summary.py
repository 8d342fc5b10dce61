"""What a net is made of: shapes, parameters, operations and bytes kept for backward."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from .layers.base import Layer, NeedDx
from .nodes import needs
from .shapes import Shape

ITEMSIZE = 4  # float32


@dataclass(frozen=True)
class Row:
    """One layer: its path, type, output shape, parameters, FLOPs and bytes kept for backward."""

    name: str
    layer: str
    output_shape: Any
    parameters: int
    flops: int
    kept_bytes: int


@dataclass(frozen=True)
class Summary:
    """The rows of a net for one input shape (batch included), float32, and their totals."""

    rows: tuple[Row, ...]
    input_shapes: tuple[Shape, ...]
    parameters: int
    trainable: int

    @property
    def flops(self) -> int:
        """Operations of a forward pass, 2 per multiply-add."""
        return sum(row.flops for row in self.rows)

    @property
    def kept_bytes(self) -> int:
        """Bytes that a training forward pass keeps for backward; shared arrays count once.

        What is frozen, and comes before all that is trained, keeps nothing.
        """
        return sum(row.kept_bytes for row in self.rows)

    def table(self) -> Any:
        """The rows as a rich table."""
        from rich.table import Table

        table = Table("node", "layer", "output shape")
        for head in ("parameters", "MFLOP", "kept KiB"):
            table.add_column(head, justify="right")
        for row in self.rows:
            table.add_row(*_cells(row.name, row.layer, str(row.output_shape), row))
        table.add_section()
        table.add_row(*_cells("total", "", "", self), style="bold")
        if self.trainable != self.parameters:
            table.add_row("trainable", "", "", f"{self.trainable:,}", "", "")
            table.add_row("frozen", "", "", f"{self.parameters - self.trainable:,}", "", "")
        return table

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, color_system=None)
        with console.capture() as capture:
            console.print(self.table())
        return capture.get().rstrip()


def _cells(name: str, layer: str, shape: str, row: Row | Summary) -> tuple[str, ...]:
    figures = f"{row.parameters:,}", f"{row.flops / 1e6:,.2f}", f"{row.kept_bytes / 1024:,.1f}"
    return name, layer, shape, *figures


def summarize(net: Any, *shapes: Shape) -> Summary:
    """Summary of a Graph for inputs of these shapes, batch included; nothing is computed.

    Raises ShapeError if the shapes do not fit.
    """
    net.output_shape(*shapes)  # raises with the name of the node where shapes do not fit
    parameters = net.parameters()
    walker = _Walker()
    values = tuple(Value(shape) for shape in shapes)
    rows = tuple(walker.walk(net, values, "", False))
    trainable = sum(p.size for p in parameters if p.trainable)
    return Summary(rows, shapes, sum(p.size for p in parameters), trainable)


class Value:
    """An array of the net: its shape, whether a row has counted it, and what it is a view of."""

    def __init__(self, shape: Shape, source: "Value | None" = None) -> None:
        self.shape, self.counted = tuple(shape), False
        self.root: Value = self if source is None else source.root


class _Walker:
    """Goes through nested graphs; counts shared parameters and kept arrays once."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.results: tuple[Value, ...] = ()

    def walk(
        self, net: Any, given: tuple[Value, ...], prefix: str, need_dx: NeedDx | None
    ) -> Iterator[Row]:
        """A row for every layer that is not itself a graph; leaves the outputs in ``results``.

        ``need_dx`` is what ``backward`` gets; None: the graph is not run backwards.
        """
        values = dict(zip(((name, 0) for name in net.inputs), given, strict=True))
        needed = needs(net.nodes, net.inputs, need_dx or False)
        for node, need in zip(net.nodes, needed, strict=True):
            sources = tuple(values[key] for key in node.sources)
            is_run = need is not None and need_dx is not None
            if hasattr(node.layer, "nodes"):
                inner = need if is_run else None
                yield from self.walk(node.layer, sources, f"{prefix}{node.name}.", inner)
            else:
                yield self._row(prefix + node.name, node.layer, sources, is_run)
            values.update(zip(node.results, self.results, strict=True))
        self.results = tuple(values[key] for key in net.result)

    def _row(self, name: str, layer: Layer, sources: tuple[Value, ...], is_run: bool) -> Row:
        shapes = tuple(value.shape for value in sources)
        made = layer.output_shape(*shapes)
        if layer.aliases and not layer.draws:  # a dropout's y is its x in evaluation only
            self.results = (Value(made, sources[0]),)
        else:
            self.results = tuple(map(Value, made if layer.outputs > 1 else (made,)))
        size = 0
        for parameter in layer.parameters():
            size += 0 if id(parameter) in self.seen else parameter.size
            self.seen.add(id(parameter))
        kept = layer.kept_bytes(ITEMSIZE, *shapes) + self._kept(layer, sources) if is_run else 0
        return Row(name, type(layer).__name__, made, size, layer.flops(*shapes), kept)

    def _kept(self, layer: Layer, sources: tuple[Value, ...]) -> int:
        arrays = sources if "x" in layer.keeps else ()
        arrays += self.results if "y" in layer.keeps else ()
        total = 0
        for value in arrays:
            total += 0 if value.root.counted else ITEMSIZE * prod(value.root.shape)
            value.root.counted = True
        return total
