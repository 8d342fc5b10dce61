"""What a graph is made of: handles that name values, nodes that make them."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

from .errors import GpuconvError, GraphError
from .formats import Formatted
from .layers.base import Layer, declared, kept, takes_any_format
from .ops import bare, travels

Key = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Handle:
    """A value of a graph: output ``index`` of the node ``name``, or an input."""

    graph: Layer
    name: str
    index: int = 0

    def __repr__(self) -> str:
        return f"<{self.name}[{self.index}]>" if self.index else f"<{self.name}>"


@dataclass(frozen=True)
class Node:
    """One application of a layer to values."""

    name: str
    layer: Layer
    sources: tuple[Key, ...]

    @property
    def results(self) -> tuple[Key, ...]:
        """The values it makes."""
        return tuple((self.name, i) for i in range(self.layer.outputs))

    def given(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """Values of the graph as the layer takes them: formatted, or as users see them."""
        return tuple(values if self.takes_any_format else map(bare, values))

    @cached_property
    def takes_any_format(self) -> bool:
        """Whether the layer may be given formatted values."""
        return takes_any_format(type(self.layer))

    def run(self, values: Iterable[Any], epilogue: str | None, **options: Any) -> tuple[Any, Any]:
        """The layer's output and what it keeps; ``epilogue`` as ``epilogues`` says."""
        if epilogue is None:
            (y,) = values
            return y, (y if kept(options["keep"], options["train"]) else None)
        if epilogue:
            options["epilogue"] = epilogue
        return self.layer.forward(*self.given(values), **options)


def epilogues(
    nodes: Sequence[Node], result: tuple[Key, ...], named: Container[str] = ()
) -> list[str | None]:
    """What each node does besides its own: the work of the one that alone reads its value.

    That one has None: its input is its output already. An op in ``named`` stays on its own.
    """
    does: list[str | None] = [""] * len(nodes)
    readers = Counter(key for node in nodes for key in node.sources) + Counter(result)
    makers = {key: number for number, node in enumerate(nodes) for key in node.results}
    for number, node in enumerate(nodes):
        name = declared(type(node.layer), "epilogue")
        if not name or name in named or node.sources[0] not in makers:
            continue
        if readers[node.sources[0]] > 1:
            continue
        maker = makers[node.sources[0]]
        if name in declared(type(nodes[maker].layer), "epilogues"):
            does[maker], does[number] = name, None
    return does


class Saved(list):
    """What every node of a graph keeps for backward; ``is_outer``: no other graph called it."""

    is_outer = True


def travelling(x: Any) -> Any:
    """A value as it goes from node to node: an image on the CPU may change its format on the way.

    Nothing is copied.
    """
    return Formatted(x, x.shape) if travels(x) else x


def require_inputs(layer: Layer, name: str, count: int) -> None:
    """Raise GraphError unless ``layer.forward`` takes ``count`` values."""
    takes = signature(layer.forward)
    try:
        takes.bind(*range(count))
    except TypeError:
        named = ", ".join(
            p for p, kind in takes.parameters.items() if kind.kind < kind.KEYWORD_ONLY
        )
        raise GraphError(
            f"graph: {name!r} ({type(layer).__name__}) was applied to {count} values; its forward "
            f"takes {named}"
        ) from None


def trains(layer: Layer) -> bool:
    """Whether training changes a parameter of the layer."""
    return any(parameter.trainable for parameter in layer.parameters())


def holds(layer: Layer, wanted: Layer) -> bool:
    """Whether ``wanted`` is the layer or somewhere inside it."""
    return layer is wanted or any(holds(child, wanted) for child in layer.children().values())


class located:
    """A context that notes on an error in which node it happened."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GpuconvError):
            error.add_note(f"in node {self.node.name!r} ({type(self.node.layer).__name__})")
