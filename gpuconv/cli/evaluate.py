"""gpuconv eval."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..data import TenCrop, open_dataset
from ..data.dataset import Dataset, title
from ..errors import DataError, OptionError
from ..graph import Graph
from ..limits import limits
from ..training.checkpoint import Run
from ..training.evaluate import evaluate
from ._app import app, out
from ._device import DEVICES, PLAN, Error, Workspace, measured, resolve
from ._foreign import foreign
from ._progress import images_bar


def _net(run: Run, where: str, data: Dataset) -> Graph:
    """The run's net; raises DataError for data of other classes than it was trained on."""
    if list(data.classes) != run.info["classes"]:
        raise DataError(
            f"eval: {title(data)} has classes {', '.join(data.classes)} but the run was "
            f"trained on {', '.join(run.info['classes'])}; give --data with the same classes"
        )
    return run.net(where)


@app.command("eval")
def evaluate_run(
    run: Annotated[
        Path,
        typer.Argument(help="a run folder that gpuconv train made; with --weights, a model's name"),
    ],
    data: Annotated[
        str | None, typer.Option(help="data to measure on; default: what the run was trained on")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="a file of weights: .safetensors, .npz, PyTorch's .pth")
    ] = None,
    split: Annotated[str, typer.Option(help="which part of the data")] = "test",
    batch_size: Annotated[int, typer.Option(min=1, help="images in a batch")] = 256,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    plan: Annotated[Path | None, typer.Option(help=PLAN)] = None,
    max_workspace: Workspace = None,
    max_error: Error = None,
    skip_bad: Annotated[bool, typer.Option(help="leave unreadable images out, counted")] = False,
    ten_crop: Annotated[
        int | None,
        typer.Option(min=1, help="average ten crops of a middle square of this side, as 256"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Measure a trained net: mean loss and accuracy.

    With --weights images are prepared as predict does it.
    """
    tuned = measured(plan)
    source = Run.open(run).info["data"] if weights is None and data is None else data
    if source is None:
        raise OptionError(f"eval --weights {weights}: give --data, as mnist or a folder of images")
    where = resolve(device, quiet=as_json)
    dataset = open_dataset(source, split, skip_bad=skip_bad)
    name = title(dataset)
    if weights is None:
        net = _net(Run.open(run), where, dataset)
    else:
        net = foreign(str(run), weights, dataset.classes, name)[0].to(where)
    skipped = getattr(dataset, "skipped", 0)
    crop = None if ten_crop is None else TenCrop(ten_crop)
    shown = images_bar(len(dataset), f"eval {name}", quiet=as_json)
    bounds = {"max_workspace": max_workspace, "max_error": max_error}
    with limits(plan=tuned, **bounds), shown as progress:
        found = evaluate(net, dataset, batch_size=batch_size, crop=crop, progress=progress)
    if as_json:
        out.print_json(json.dumps({"split": split, **vars(found), "skipped": skipped}))
        return
    if skipped:
        out.print(f"unreadable images left out: {skipped}")
    out.print(f"{found.images:,} images of {name} ({split}), loss {found.loss:.4f}")
    out.print(f"{split} accuracy {found.accuracy:.4f}")
