"""gpuconv eval."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..data import TenCrop, open_dataset
from ..data.crops import Crop
from ..data.dataset import title
from ..errors import DataError
from ..training.checkpoint import Run
from ..training.evaluate import evaluate
from ._app import app, out
from ._device import DEVICES, resolve
from ._progress import images_bar


@app.command("eval")
def evaluate_run(
    run: Annotated[Path, typer.Argument(help="a run folder that gpuconv train made")],
    data: Annotated[
        str | None, typer.Option(help="data to measure on; default: what it was trained on")
    ] = None,
    split: Annotated[str, typer.Option(help="which part of the data")] = "test",
    batch_size: Annotated[int, typer.Option(min=1, help="images in a batch")] = 256,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    skip_bad: Annotated[bool, typer.Option(help="leave unreadable images out, counted")] = False,
    ten_crop: Annotated[
        int | None,
        typer.Option(min=1, help="average ten crops of a middle square of this side, as 256"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Measure a trained net: mean loss and accuracy."""
    opened = Run.open(run)
    where = resolve(device, quiet=as_json)
    dataset = open_dataset(data or opened.info["data"], split, skip_bad=skip_bad)
    name = title(dataset)
    if list(dataset.classes) != opened.info["classes"]:
        raise DataError(
            f"eval: {name} has classes {', '.join(dataset.classes)} but the run was "
            f"trained on {', '.join(opened.info['classes'])}; give --data with the same classes"
        )
    net, skipped = opened.net(where), getattr(dataset, "skipped", 0)
    recipe = opened.recipe()
    crop: Crop | None = None if recipe is None else recipe.test_crop()
    if ten_crop is not None:
        crop = TenCrop(ten_crop)
    with images_bar(len(dataset), f"eval {name}", quiet=as_json) as progress:
        found = evaluate(net, dataset, batch_size=batch_size, crop=crop, progress=progress)
    if as_json:
        out.print_json(json.dumps({"split": split, **vars(found), "skipped": skipped}))
        return
    if skipped:
        out.print(f"unreadable images left out: {skipped}")
    out.print(f"{found.images:,} images of {name} ({split}), loss {found.loss:.4f}")
    out.print(f"{split} accuracy {found.accuracy:.4f}")
