"""What a graph is made of: handles that name values, nodes that make them."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import signature
from typing import Any

from .errors import GpuconvError, GraphError
from .formats import Formatted
from .layers.base import Layer, NeedDx, declared, kept, takes_any_format, wanted
from .ops import add, bare, travels

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


def needs(
    nodes: Sequence[Node], inputs: Sequence[str], need_dx: NeedDx
) -> list[tuple[bool, ...] | None]:
    """For each node which of its sources need a gradient; None if it is not run backwards.

    A value needs one if it is a wanted input, or made from one or from a parameter that is trained.
    """
    useful, found = {(n, 0) for i, n in enumerate(inputs) if wanted(need_dx, i)}, []
    for node in nodes:
        need = tuple(key in useful for key in node.sources)
        is_run = any(need) or trains(node.layer)
        useful.update(node.results if is_run else ())
        found.append(need if is_run else None)
    return found


@cache
def _knows_need(kind: Any) -> bool:
    return "need_dx" in signature(kind.forward).parameters


def keeping(layer: Layer, need: tuple[bool, ...] | None) -> dict[str, Any]:
    """Options of the forward of a layer whose inputs ``need`` gradients, as ``needs`` says."""
    if need is None:
        return {"keep": False}
    kind: Any = type(layer)
    return {"need_dx": need if len(need) > 1 else need[0]} if _knows_need(kind) else {}


def train_forward(net: Layer, *xs: Any, **options: Any) -> tuple[Any, Any]:
    """``forward`` in training, ahead of ``backward(dy, saved, need_dx=False)``.

    What comes before all that is trained keeps nothing.
    """
    return net.forward(*xs, train=True, **options, **keeping(net, (False,) * len(xs)))


def holds(layer: Layer, wanted: Layer) -> bool:
    """Whether ``wanted`` is the layer or somewhere inside it."""
    return layer is wanted or any(holds(child, wanted) for child in layer.children().values())


def add_gradient(gradients: dict[Key, Any], key: Key, gradient: Any) -> None:
    """Sum at a fork into a new array: the one that is there may be somebody else's."""
    if gradient is not None:
        before, more = gradients.get(key), travelling(gradient)
        gradients[key] = more if before is None else add(before, more)


class located:
    """A context that notes on an error in which node it happened."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GpuconvError):
            error.add_note(f"in node {self.node.name!r} ({type(self.node.layer).__name__})")
