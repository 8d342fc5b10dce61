"""gpuconv train --recipe: what a recipe decides, and what an option given beside it does."""

from dataclasses import dataclass
from typing import Any

import typer

from .. import data as datasets
from ..data import color_noise
from ..data.crops import Crop
from ..data.dataset import Dataset
from ..data.measure import measure
from ..errors import OptionError, RunError
from ..layers import CrossEntropyLoss
from ..training import recipe as recipes
from ..training.checkpoint import Run
from ..training.recipe import Recipe
from ._app import out

# Options that a recipe has its own word on; one that is given goes before the recipe's.
_FROM_RECIPE = {
    "batch_size": lambda recipe: recipe.batch_size,
    "epochs": lambda recipe: recipe.epochs,
    "lr": lambda recipe: recipe.schedule.lr,
    "momentum": lambda recipe: recipe.optimizer.momentum,
    "weight_decay": lambda recipe: recipe.optimizer.weight_decay,
    "flip": lambda recipe: recipe.images.flip,
    "shift": lambda recipe: 0,
}
_EXCLUDED = ("schedule", "lr_scale")


def given(context: typer.Context, name: str) -> bool:
    """Whether the user wrote the option."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def settle(context: typer.Context, settings: dict[str, Any]) -> Recipe | None:
    """Read --recipe and put its numbers into the settings that the user left alone.

    Raises OptionError for a recipe that is none, and an option that it takes the place of.
    """
    if settings["recipe"] is None:
        return None
    recipe = recipes.read(settings["recipe"])
    for name in _EXCLUDED:
        if given(context, name):
            option = "--" + name.replace("_", "-")
            raise OptionError(f"{option}: --recipe {settings['recipe']} has it; edit a copy of it")
    for name, value in _FROM_RECIPE.items():
        if not given(context, name):
            settings[name] = value(recipe)
    if recipe.models and settings["model"] not in recipe.models:
        out.print(f"recipe: was written for {', '.join(recipe.models)}, not {settings['model']}")
    return recipe


@dataclass(frozen=True)
class Course:
    """How images and the loss go with a recipe, or with plain options."""

    recipe: Recipe | None
    crop: Crop | None
    augment: list[Any]
    loss: CrossEntropyLoss
    colours: dict[str, Any] | None


def course_of(
    recipe: Recipe | None, settings: dict[str, Any], data: Dataset, run: Run | None
) -> Course:
    """What happens to images; the colours of the training set are measured, or those of the run."""
    augment: list[Any] = []
    if settings["shift"]:
        augment.append(datasets.random_shift(settings["shift"]))
    if settings["flip"]:
        augment.append(datasets.random_flip())
    if recipe is None:
        return Course(None, None, augment, CrossEntropyLoss(), None)
    images, colours = recipe.images, None
    if images.color_noise:
        colours = _colours(recipe, data) if run is None else run.info.get("colours")
        if not isinstance(colours, dict) or set(colours) != {"eigenvalues", "eigenvectors"}:
            raise RunError("run.json: the colours of the training set are missing; start a new run")
        augment.append(color_noise(**colours, std=images.color_noise))
    loss = CrossEntropyLoss(recipe.label_smoothing)
    return Course(recipe, recipe.training_crop(), augment, loss, colours)


def record(course: Course) -> dict[str, Any]:
    """What run.json keeps of a recipe."""
    if course.recipe is None:
        return {}
    colours = {} if course.colours is None else {"colours": course.colours}
    return {"recipe": recipes.plain(course.recipe), **colours}


def _colours(recipe: Recipe, data: Dataset) -> dict[str, Any]:
    found = measure(data, sample=recipe.images.color_sample)
    if found.colours is None:
        raise OptionError(f"recipe: no image of {found.name} can be read for its colours")
    kept = {"eigenvalues": found.colours.eigenvalues, "eigenvectors": found.colours.eigenvectors}
    out.print(f"recipe: colour axes of {found.sampled - len(found.bad):,} training images")
    return {name: array.tolist() for name, array in kept.items()}
