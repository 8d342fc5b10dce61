"""gpuconv predict."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from .. import device as devices
from .. import ops
from ..graph import Graph
from ..limits import limits
from ..training.checkpoint import Run
from ..training.step import InferenceStep
from ._app import app, out, show
from ._device import DEVICES, PLAN, Error, Workspace, measured, resolve
from ._foreign import foreign, imported

TOP = 5


def rank(net: Graph, image: np.ndarray, classes: list[str]) -> list[dict[str, Any]]:
    """The most probable classes of one image (1, C, H, W), best first."""
    probabilities = devices.to_numpy(ops.softmax(InferenceStep(net)(image)))[0]
    order = np.argsort(-probabilities, kind="stable")[:TOP]
    names = classes or [f"class {i}" for i in range(len(probabilities))]
    return [{"class": names[i], "probability": float(probabilities[i])} for i in order]


@app.command()
def predict(
    run: Annotated[
        Path,
        typer.Argument(
            help="a run folder of gpuconv train, or an .onnx file; with --weights, a model's name"
        ),
    ],
    images: Annotated[list[Path], typer.Argument(help="image files (PNG, JPEG, ...)")],
    weights: Annotated[
        Path | None, typer.Option(help="a file of weights: .safetensors, .npz, PyTorch's .pth")
    ] = None,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    plan: Annotated[Path | None, typer.Option(help=PLAN)] = None,
    max_workspace: Workspace = None,
    max_error: Error = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON list")] = False,
) -> None:
    """Say what images show: a table of the five most probable classes for each.

    Digits are expected as MNIST has them, light on dark. With --weights images are prepared as the
    file says, else as the model's authors did; ImageNet's models get the middle of the image.
    """
    tuned = measured(plan)
    if weights is None and run.suffix.lower() == ".onnx":
        net, prepare = imported(run)
    elif weights is None:
        opened = Run.open(run)
        net, prepare = opened.net(), opened.preprocessing()
    else:
        net, prepare = foreign(str(run), weights)
    net.to(resolve(device, quiet=as_json))
    with limits(plan=tuned, max_workspace=max_workspace, max_error=max_error):
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
