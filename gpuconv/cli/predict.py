"""gpuconv predict."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from .. import device as devices
from .. import models, ops
from ..data import Preprocessing
from ..data.preprocessing import KEY
from ..graph import Graph
from ..models.alexnet import IMAGENET_MEAN
from ..training.checkpoint import Run
from ..training.step import InferenceStep
from ..weights import load, metadata
from ._app import app, out, show
from ._device import DEVICES, resolve

TOP = 5
SHORTER_SIDE = 256  # of an ImageNet photograph before its middle is cut out, as torchvision has it


def rank(net: Graph, image: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    """The most probable classes of one image (1, C, H, W), best first."""
    probabilities = devices.to_numpy(ops.softmax(InferenceStep(net)(image)))[0]
    order = np.argsort(-probabilities, kind="stable")[:TOP]
    names = classes or [f"class {i}" for i in range(len(probabilities))]
    return [{"class": names[i], "probability": float(probabilities[i])} for i in order]


def foreign(model: str, weights: Path) -> tuple[Graph, Preprocessing]:
    """The model with weights from a file, and how its images are prepared.

    Raises WeightsError, StateError or DataError for a file that is not of this model.
    """
    said = metadata(weights).get(KEY)
    prepare = None if said is None else Preprocessing.loads(said, str(weights))
    net = models.create(model, len(prepare.classes) or None if prepare else None)
    net.load_state_dict(load(weights))
    if prepare is None:
        side = SHORTER_SIDE if net.mean == IMAGENET_MEAN else None
        prepare = Preprocessing.of(net, resize=side)
    return net, prepare


@app.command()
def predict(
    run: Annotated[
        Path,
        typer.Argument(help="a run folder that gpuconv train made; with --weights, a model's name"),
    ],
    images: Annotated[list[Path], typer.Argument(help="image files (PNG, JPEG, ...)")],
    weights: Annotated[
        Path | None, typer.Option(help="a file of weights: .safetensors, .npz, PyTorch's .pth")
    ] = None,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON list")] = False,
) -> None:
    """Say what images show: a table of the five most probable classes for each.

    Digits are expected as MNIST has them, light on dark. With --weights images are prepared as the
    file says, else as the model's authors did; ImageNet's models get the middle of the image.
    """
    if weights is None:
        opened = Run.open(run)
        net = opened.net()
        recipe, said = opened.recipe(), {"classes": tuple(opened.info["classes"])}
        side = None if recipe is None else recipe.images.side
        prepare = Preprocessing.of(net, resize=side, **said)
    else:
        net, prepare = foreign(str(run), weights)
    net.to(resolve(device, quiet=as_json))
    ranked = [rank(net, prepare.image(path), list(prepare.classes)) for path in images]
    if as_json:
        both = zip(images, ranked, strict=True)
        out.print_json(json.dumps([{"image": str(p), "top": top} for p, top in both]))
        return
    for path, top in zip(images, ranked, strict=True):
        out.print(path)
        table = Table("class", "probability")
        for entry in top:
            table.add_row(entry["class"], f"{entry['probability']:.4f}")
        show(table)
