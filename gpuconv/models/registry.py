"""Models by name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import OptionError
from ..graph import Graph
from ..shapes import Shape, integer, real


@dataclass(frozen=True)
class Model:
    """A net that can be made by name: images in are (x / 255 - mean) / std.

    ``lr`` is the highest learning rate that ``gpuconv train`` takes for it unless told otherwise;
    ``source`` says where the net was described.
    """

    name: str
    build: Callable[[int, float], Graph]
    input_shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_classes: int
    dropout: float
    lr: float
    source: str

    @property
    def summary(self) -> str:
        """The first sentence of the builder's docstring."""
        return (inspect.getdoc(self.build) or "").split("\n\n")[0].replace("\n", " ")


_MODELS: dict[str, Model] = {}


def model(
    input_shape: Shape,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    num_classes: int = 10,
    dropout: float = 0.0,
    lr: float = 0.01,
    source: str = "",
) -> Callable[[Callable[[int, float], Graph]], Callable[[int, float], Graph]]:
    """Decorator that registers ``build(num_classes, dropout)`` under its own name; see Model."""

    def register(build: Callable[[int, float], Graph]) -> Callable[[int, float], Graph]:
        name = build.__name__
        options = (num_classes, dropout, lr, source)
        _MODELS[name] = Model(name, build, input_shape, mean, std, *options)
        return build

    return register


def models() -> dict[str, Model]:
    """Every model by name."""
    return dict(sorted(_MODELS.items()))


def get(name: str) -> Model:
    """The model of that name; raises OptionError with the nearest name and all that there are."""
    if not isinstance(name, str) or name not in _MODELS:
        near = get_close_matches(str(name).lower(), _MODELS, 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        listed = ", ".join(sorted(_MODELS))
        raise OptionError(f"no model named {name!r}; {meant}there are {listed}")
    return _MODELS[name]


def create(
    name: str,
    num_classes: int | None = None,
    dropout: float | None = None,
    seed: int = 0,
) -> Graph:
    """A new net with initial values drawn from ``seed``.

    It carries ``input_shape`` (C, H, W), ``mean`` and ``std``. Raises OptionError for an unknown
    name or a bad option.
    """
    chosen = get(name)
    classes = chosen.num_classes if num_classes is None else num_classes
    classes = integer(classes, f"{name}: num_classes", 1)
    drop = chosen.dropout if dropout is None else dropout
    if real(drop, f"{name}: dropout") < 0 or drop >= 1:
        raise OptionError(f"{name}: dropout must be in [0, 1), got {drop!r}")
    net = chosen.build(classes, drop)
    net.input_shape, net.mean, net.std = chosen.input_shape, chosen.mean, chosen.std
    net.initialize(integer(seed, f"{name}: seed", 0))
    return net
