"""A model by name with weights from a file, and how its images are prepared."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .. import models, onnx
from ..data import Preprocessing
from ..data.preprocessing import KEY
from ..errors import DataError, GpuconvError, GraphError, OnnxError
from ..graph import Graph
from ..layers.transfer import head_names
from ..models.alexnet import IMAGENET_MEAN
from ..training.recipe import Recipe
from ..weights import load, metadata, response
from ..weights.response import ResponseNorm
from ._app import out

SHORTER_SIDE = 256  # of an ImageNet photograph before its middle is cut out, as torchvision has it
Path = str | os.PathLike[str]


def preparation(net: Graph, path: Path, recipe: Recipe | None = None) -> Preprocessing:
    """How images are prepared for these weights: as the file says, else as the model's authors did.

    With a ``recipe``, which the net was given before, size is its matter, and what the file does
    not say. The net takes such images from now on, and normalises responses as the file says.
    Raises WeightsError for what is no file of weights, and DataError or OptionError where it says
    nonsense or what does not fit the net.
    """
    said, before = metadata(path), _form(net)
    if KEY in said:
        prepare = Preprocessing.loads(said[KEY], str(path))
        _require_fit(net, prepare, path)
        if recipe is not None and recipe.images.side is not None:
            prepare = replace(prepare, resize=recipe.images.side)
    elif recipe is not None:
        prepare = Preprocessing.of(net)
    else:
        side = SHORTER_SIDE if net.mean == IMAGENET_MEAN else None
        prepare = Preprocessing.of(net, resize=side)
    prepare.put_on(net)
    if response.KEY in said:
        ResponseNorm.loads(said[response.KEY], str(path)).put_on(net, str(path))
    if recipe is not None and _form(net) != before:
        out.print(f"weights: how {path} normalises images and responses goes before the recipe")
    return prepare


def _form(net: Graph) -> tuple[Preprocessing, ResponseNorm | None]:
    return Preprocessing.of(net), ResponseNorm.of(net)


def _require_fit(net: Graph, prepare: Preprocessing, path: Path) -> None:
    came, takes = ("x".join(map(str, p.input_shape)) for p in (prepare, net))
    if prepare.input_shape[0] != net.input_shape[0]:
        raise DataError(
            f"{path}: is for images {came}, but the model takes {takes}; another model?"
        )
    try:
        net.output_shape((1, *prepare.input_shape))
    except GpuconvError as error:
        raise DataError(
            f"{path}: is for images {came}, which the model does not take: {error}"
        ) from None


def imported(path: os.PathLike[str]) -> tuple[Graph, Preprocessing]:
    """The net of an ONNX file, and how its images are prepared; raises OnnxError if nobody said."""
    net = onnx.load(os.fspath(path))
    if net.preparation is None:
        raise OnnxError(
            f"predict: {path} does not say how images are prepared (metadata {KEY}); use "
            "gpuconv.onnx.load and give it arrays"
        )
    return net, net.preparation


def foreign(
    model: str, path: Path, classes: Sequence[str] = (), data: str = ""
) -> tuple[Graph, Preprocessing]:
    """The model with weights from a file, and how its images are prepared.

    ``classes`` are those of ``data``, if there is any; else the file's, or as many as the model
    has. Raises WeightsError, StateError or DataError for a file that is not of this model, or of
    other classes.
    """
    prepare, state = preparation(models.create(model), path), load(path)
    if classes and prepare.classes and list(classes) != list(prepare.classes):
        raise DataError(
            f"{data} has classes {', '.join(classes)} but {path} is for "
            f"{', '.join(prepare.classes)}; give --data with the same classes"
        )
    net = models.create(model, len(classes or prepare.classes) or None)
    preparation(net, path)
    if classes:
        _require_classes(net, state, path, data)
    net.load_state_dict(state)
    return net, prepare


def _require_classes(net: Graph, state: Mapping, path: Path, data: str) -> None:
    """Raise DataError if the weights are those of a head for another number of classes."""
    try:
        names = head_names(net)
    except GraphError:  # no head that is known: load_state_dict compares all shapes
        return
    fresh = dict(net.named_parameters())
    for name in names:
        there = tuple(getattr(state.get(name), "shape", ()))
        here = tuple(fresh[name].shape)
        if there[1:] == here[1:] and there[:1] != here[:1]:
            raise DataError(
                f"{path} has {there[0]} classes but {data} has {here[0]}; give --data with "
                "as many, or train a new head (gpuconv train --weights)"
            )
