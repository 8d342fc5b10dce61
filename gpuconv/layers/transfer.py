"""Transfer learning: a net keeps what it learned elsewhere, and gets a head for other classes.

Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural networks?" (2014).
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Self

from ..errors import GraphError, OptionError, StateError
from ..shapes import integer
from .parameter import Parameter


class Transfer:
    """What every layer has for transfer learning; see ``freeze`` and ``replace_head``.

    ``head`` names the parameters that have one row for each class, in a layer that a net can end
    with.
    """

    head: tuple[str, ...] = ()

    def children(self) -> dict[str, Any]:
        """Layers that this one is made of, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no children")

    def parameters(self) -> list[Parameter]:
        """Every parameter once."""
        raise NotImplementedError(f"{type(self).__name__} has no parameters")

    def freeze(self, *names: str) -> Self:
        """Stop training what nodes of these names hold (of no name: everything); returns the net.

        A name is a path of node names joined by '.', to a layer or a parameter. A frozen part keeps
        its bits: batch normalisation uses its running statistics and leaves them alone. Nothing is
        back-propagated through layers that come before all that is trained. Dropout still drops.
        Raises OptionError, changing nothing, for a name that is not there.
        """
        return self._freeze(True, "freeze", names)

    def unfreeze(self, *names: str) -> Self:
        """Train again what nodes of these names hold (of no name: everything); see ``freeze``."""
        return self._freeze(False, "unfreeze", names)

    def _freeze(self, frozen: bool, what: str, names: tuple[str, ...]) -> Self:
        places = dict(_places(self))
        chosen = named(what, places, names) if names else list(places)
        for path in chosen:
            _set(places[path], frozen)
        return self

    def frozen_names(self) -> list[str]:
        """Paths of what is not trained: parameters, and layers with running statistics."""
        return [path for path, place in _places(self) if _is_frozen(place)]

    def set_frozen(self, names: Iterable[str]) -> None:
        """Freeze exactly what ``frozen_names`` gave, and nothing else.

        Raises StateError, changing nothing, for names that are not there.
        """
        places, wanted = dict(_places(self)), set(names)
        strange = sorted(wanted - set(places))
        if strange:
            raise StateError(
                f"set_frozen: the net has no {', '.join(strange)}; does the state belong to "
                "another net?"
            )
        for path, place in places.items():
            _set(place, path in wanted)

    def replace_head(self, num_classes: int, seed: int = 0) -> Self:
        """New weights for ``num_classes`` in the last layer, a Linear or Conv2d; returns the net.

        They are drawn from ``seed`` as ``initialize`` would draw them, and trained. An optimiser
        must be made afterwards. Raises OptionError for a number that is not positive, GraphError
        for a net whose last layer with values is neither.
        """
        count = integer(num_classes, "replace_head: num_classes", 1)
        layer = last(self)
        for name in layer.head:
            old = getattr(layer, name)
            if old is not None:
                setattr(layer, name, old.resized((count, *old.shape[1:])))
        mine = {id(getattr(layer, name)) for name in layer.head}
        for number, parameter in enumerate(self.parameters()):
            if id(parameter) in mine:
                parameter.place(seed, number, again=True)
        return self


def head_names(net: Any) -> list[str]:
    """Names of the parameters that ``replace_head`` would make anew; raises GraphError."""
    layer = last(net)
    mine = {id(getattr(layer, name)) for name in layer.head}
    return [name for name, parameter in net.named_parameters() if id(parameter) in mine]


def _places(layer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, place) of every parameter, and of every layer that says whether it is frozen."""
    if hasattr(layer, "frozen"):
        yield path.removesuffix("."), layer
    for name, value in vars(layer).items():
        if isinstance(value, Parameter):
            yield path + name, value
    for name, child in layer.children().items():
        yield from _places(child, f"{path}{name}.")


def _is_frozen(place: Any) -> bool:
    return not place.trainable if isinstance(place, Parameter) else bool(place.frozen)


def _set(place: Any, frozen: bool) -> None:
    if not isinstance(place, Parameter):
        place.frozen = frozen
        return
    place.trainable = not frozen
    if frozen:
        place.grad = None  # or a step that is due would still take it


def named(what: str, paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """The paths that are, or lie below, one of the names; raises OptionError for a stray name."""
    known = list(paths)
    for name in names:
        if not isinstance(name, str) or not any(below(path, name) for path in known):
            raise OptionError(f"{what}: nothing to train is named {name!r}{_nearest(known, name)}")
    return [path for path in known if any(below(path, name) for name in names)]


def below(path: str, name: str) -> bool:
    """Whether a path is that of ``name`` or of something in it."""
    return path == name or path.startswith(name + ".")


def _nearest(paths: list[str], name: object) -> str:
    parts = [path.split(".") for path in paths]
    inner = {".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)}
    close = get_close_matches(str(name), sorted(inner), 1)
    tops = ", ".join(dict.fromkeys(p[0] for p in parts)) or "nothing that is trained"
    return f"; did you mean {close[0]!r}?" if close else f"; the net has {tops}"


def last(net: Any) -> Any:
    """The layer that gives a net's classes; raises GraphError if there is none to replace."""
    found = _ending(net)
    if found is None:
        raise GraphError("replace_head: the net has no Linear or Conv2d whose outputs are classes")
    return found


def _ending(layer: Any) -> Any:
    """Going back from the output: the first layer with values. None where nothing has any."""
    if not hasattr(layer, "nodes"):
        if layer.head or not _has_values(layer):
            return layer if layer.head else None
        raise GraphError(
            f"replace_head: the net ends in {type(layer).__name__}; only the weights of a Linear, "
            "or of a Conv2d without groups, can be made anew for other classes"
        )
    makers = {key: node for node in layer.nodes for key in node.results}
    wanted = layer.result
    while len(wanted) == 1 and wanted[0] in makers:
        node = makers[wanted[0]]
        found = _ending(node.layer)
        if found is not None:
            return found
        wanted = node.sources
    if len(wanted) > 1:
        raise GraphError(
            "replace_head: the net's outputs come from several layers; expected one classifier"
        )
    return None


def _has_values(layer: Any) -> bool:
    return bool(layer.parameters() or list(layer.named_buffers()))
