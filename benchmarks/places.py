"""The layers of a net where they stand: each with the shapes of what it is given there."""

from collections.abc import Iterator
from dataclasses import dataclass

from gpuconv.graph import Graph
from gpuconv.layers import Layer
from gpuconv.shapes import Shape


@dataclass(frozen=True)
class Place:
    """A layer of a net, and the shapes of what it is given there."""

    name: str
    layer: Layer
    shapes: tuple[Shape, ...]

    @property
    def key(self) -> str:
        """What is equal for layers that do the same work."""
        options = {k: v for k, v in vars(self.layer).items() if not hasattr(v, "value")}
        sizes = [p.shape for p in self.layer.parameters()]
        return f"{type(self.layer).__name__} {options} {sizes} {self.shapes}"


def places(net: Graph, shapes: tuple[Shape, ...], prefix: str) -> Iterator[Place]:
    """Every layer of a net and of the nets within, named after ``prefix``, in order."""
    for node, sources, _ in net.walk(*shapes):
        name = f"{prefix} {node.name}"
        if isinstance(node.layer, Graph):
            yield from places(node.layer, sources, name)
        else:
            yield Place(name, node.layer, sources)
