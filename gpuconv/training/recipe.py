"""Recipes: how a net is trained, as TOML files that come with the package or that a user writes.

A recipe says what to draw first values from, what response normalisation means, the optimiser, its
schedule, and what happens to images. ``gpuconv train MODEL --recipe NAME|FILE.toml``.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..data import Preprocessing, RandomCrop, RandomResizedCrop
from ..data.crops import Crop
from ..errors import OptionError
from ..layers import Layer
from ..layers.init import Constant, Init, Kaiming, Normal, Uniform, Xavier
from ..shapes import integer, real
from ..weights.response import ResponseNorm
from .optimizers import SGD
from .recipe_tables import table
from .schedules import Schedule, multistep

FOLDER = Path(__file__).parent / "recipes"
_INITS: dict[str, Callable[[float], Init]] = {
    "normal": Normal,
    "uniform": Uniform,
    "constant": Constant,
    "kaiming": Kaiming,
    "xavier": Xavier,
}
_CROPS = ("none", "random", "resized")


@dataclass(frozen=True)
class OptimizerTable:
    """[optimizer]: that of SGD; ``bias_weight_decay`` is for parameters called bias."""

    momentum: float = 0.9
    form: str = "torch"
    weight_decay: float = 0.0
    bias_weight_decay: float = 0.0


@dataclass(frozen=True)
class ScheduleTable:
    """[schedule]: ``lr`` times ``gamma`` for each of ``epochs`` reached; also one for biases."""

    lr: float
    gamma: float = 0.1
    epochs: tuple[float, ...] = ()
    bias_lr: float | None = None
    bias_gamma: float | None = None
    bias_epochs: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ImagesTable:
    """[images]: (x / 255 - mean) / std; ``crop`` is none, random or resized.

    ``side`` is the shorter side before a random crop, and for testing before the middle is cut out
    (None: the whole image is resized). ``color_noise`` is the deviation of color_noise, 0: none;
    its eigenvectors come from ``color_sample`` images of the training set.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: str = "none"
    side: int | None = None
    flip: bool = False
    color_noise: float = 0.0
    color_sample: int = 2000


@dataclass(frozen=True)
class Recipe:
    """A recipe: ``summary`` in a line, and the ``models`` that it was written for (empty: any)."""

    summary: str
    batch_size: int
    epochs: int
    optimizer: OptimizerTable
    schedule: ScheduleTable
    images: ImagesTable
    models: tuple[str, ...] = ()
    label_smoothing: float = 0.0
    init: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lrn: ResponseNorm | None = None

    def put_on(self, net: Any) -> None:
        """Let the net mean what the recipe says: first values, normalisation, the form of images.

        Initialise the net after it. Raises OptionError, naming the entry, for a pattern that fits
        no parameter, and for [lrn] with a net that has no LocalResponseNorm.
        """
        if self.lrn is not None:
            self.lrn.put_on(net, "recipe")
        parameters = dict(net.named_parameters())
        for pattern, said in self.init.items():
            fitting = [name for name in parameters if fnmatchcase(name, pattern)]
            if not fitting:
                raise OptionError(
                    f"recipe: init {pattern!r} fits no parameter of the net; there are "
                    f"{', '.join(list(parameters)[:4])}, ..."
                )
            for name in fitting:
                parameters[name].draw_from(_init(pattern, said))
        images = self.images
        prepare = Preprocessing.of(net, mean=images.mean, std=images.std, resize=images.side)
        prepare.put_on(net)

    def make_optimizer(self, net: Layer, steps: int, lr: float, **more: Any) -> SGD:
        """SGD for ``steps`` steps in all, the rates of both kinds times lr / schedule.lr."""
        table, said = self.schedule, self.optimizer
        scale = lr / table.lr if table.lr else 1.0
        bias = [p for name, p in net.named_parameters() if name.rpartition(".")[2] == "bias"]
        mine = set(map(id, bias))
        rest = [p for p in net.parameters() if id(p) not in mine]
        own = table.bias_lr if table.bias_lr is not None else table.lr
        gamma = table.bias_gamma if table.bias_gamma is not None else table.gamma
        epochs = table.bias_epochs if table.bias_epochs is not None else table.epochs
        rate = self._rate(lr, table.gamma, table.epochs, steps)
        groups: list[dict[str, Any]] = [
            {"params": rest, "weight_decay": more.pop("weight_decay", said.weight_decay)},
            {
                "params": bias,
                "lr": self._rate(own * scale, gamma, epochs, steps),
                "weight_decay": said.bias_weight_decay,
            },
        ]
        options = {"momentum": said.momentum, "form": said.form, **more}
        return SGD([g for g in groups if g["params"]], rate, **options)

    def _rate(self, lr: float, gamma: float, epochs: tuple[float, ...], steps: int) -> Schedule:
        """Drops at the recipe's epochs; a run of another length has them at the same shares."""
        return multistep(lr, [round(steps * epoch / self.epochs) for epoch in epochs], gamma)

    def training_crop(self) -> Crop | None:
        """What takes the place of resizing in training."""
        if self.images.crop == "random" and self.images.side is not None:
            return RandomCrop(self.images.side)
        return RandomResizedCrop() if self.images.crop == "resized" else None


def _init(pattern: str, said: Mapping[str, Any]) -> Init:
    ((kind, value),) = said.items()
    return _INITS[kind](real(value, f"recipe: init {pattern!r}: {kind}"))


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name: str) -> Recipe:
    """The recipe of that name, or of a file that ends in .toml.

    Raises OptionError for an unknown name, and, naming file and entry, for a file that cannot be
    read or is no recipe.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if path.parent == FOLDER and name not in names():
        near = get_close_matches(name, names(), 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(
            f"no recipe named {name!r}; {meant}there are {', '.join(names())}, or a file .toml"
        )
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"recipe {path}: cannot be read ({error})") from None
    return parse(said, f"recipe {path.name}")


def parse(said: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from what TOML or JSON gave; raises OptionError naming the entry."""
    made = table(Recipe, said, where)
    for pattern, entry in made.init.items():
        if not isinstance(entry, Mapping) or len(entry) != 1 or not set(entry) <= set(_INITS):
            raise OptionError(
                f"{where}: init {pattern!r} is {entry!r}, expected one of {', '.join(_INITS)}, as "
                "{ normal = 0.01 }"
            )
        _init(pattern, entry)
    images = made.images
    if images.crop not in _CROPS or (images.crop == "random" and images.side is None):
        raise OptionError(
            f"{where}: images.crop is {images.crop!r}, expected {', '.join(_CROPS)}; random needs "
            "images.side"
        )
    integer(made.batch_size, f"{where}: batch_size", 1)
    integer(made.epochs, f"{where}: epochs", 1)
    return made


def plain(recipe: Recipe) -> dict[str, Any]:
    """As TOML and JSON have it; ``parse`` gives the recipe back."""
    found: dict[str, Any] = {}
    for entry in fields(recipe):
        value = getattr(recipe, entry.name)
        if value is not None:
            found[entry.name] = _entries(value) if entry.name in _TABLES else value
    return found


def _entries(value: Any) -> dict[str, Any]:
    return {name: entry for name, entry in vars(value).items() if entry is not None}


_TABLES = ("optimizer", "schedule", "images", "lrn")
