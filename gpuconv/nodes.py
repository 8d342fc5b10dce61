"""What a graph is made of: handles that name values, nodes that make them."""

from dataclasses import dataclass
from typing import Any

from .errors import GpuconvError
from .layers.base import Layer

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


class located:
    """A context that notes on an error in which node it happened."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, GpuconvError):
            error.add_note(f"in node {self.node.name!r} ({type(self.node.layer).__name__})")
