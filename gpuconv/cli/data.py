"""gpuconv data."""

import json
from collections import Counter
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..data import open_dataset
from ..data.measure import Colours, Measured, measure
from ._app import app, out, show
from ._progress import bar

_CLASSES, _BAD = 20, 10  # shown before the rest is only counted; --json has all


@app.command("data")
def data_command(
    data: Annotated[str, typer.Argument(help="mnist, fashion-mnist or a folder, as train --data")],
    split: Annotated[str, typer.Option(help="which part of it")] = "train",
    sample: Annotated[
        int | None, typer.Option(min=1, help="decode so many images, spread evenly; default: all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Measure a data set: classes, sizes, bad files, decoding speed, mean, std and PCA of colour.

    Images that cannot be read are named and counted; gpuconv train leaves them out if it is given
    --skip-bad.
    """
    dataset = open_dataset(data, split)
    with bar(quiet=as_json) as progress:
        task = progress.add_task("decoding", total=len(dataset), figures="images")
        found = measure(
            dataset,
            sample=sample,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        out.print_json(json.dumps({"split": split, **_plain(found)}, ensure_ascii=False))
        return
    _print(found, split)


def _print(found: Measured, split: str) -> None:
    part = "" if found.sampled == found.images else f", {found.sampled:,} of them looked at"
    out.print(f"data: {found.name} ({split}), {found.images:,} images{part}")
    _counts(found)
    if found.heights:
        out.print(f"height {_range(found.heights)}, width {_range(found.widths)} (min median max)")
    for what, counter in (("kinds", found.kinds), ("channels", found.channels)):
        if counter:
            out.print(f"{what}: " + ", ".join(f"{k}: {n:,}" for k, n in counter.most_common()))
    out.print(f"decoding: {found.images_per_s:,.0f} images/s on one core")
    if found.colours is not None:
        _print_colours(found.colours)
    for remark in found.remarks():
        out.print(f"remark: {remark}")
    for message in found.bad[:_BAD]:
        out.print(f"bad: {message}")
    out.print(f"bad images: {len(found.bad):,}")


def _counts(found: Measured) -> None:
    table = Table("class", "images")
    for name, count in list(zip(found.classes, found.counts, strict=True))[:_CLASSES]:
        table.add_row(name, f"{count:,}")
    show(table)
    if len(found.classes) > _CLASSES:
        out.print(f"... {len(found.classes)} classes; images in each: {_range(found.counts)}")


def _print_colours(colours: Colours) -> None:
    out.print(f"mean {_row(colours.mean)}  std {_row(colours.std)}  (RGB in 0 to 1)")
    for value, vector in zip(colours.eigenvalues, colours.eigenvectors.T, strict=True):
        out.print(f"PCA eigenvalue {value:.6f}  eigenvector {_row(vector)}")


def _row(values: np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.4f}" for value in values) + "]"


def _range(values: list[int]) -> str:
    return f"{min(values)} {int(np.median(values))} {max(values)}"


def _plain(found: Measured) -> dict[str, Any]:
    """As JSON takes it."""
    colours = found.colours
    plain = {key: value for key, value in vars(found).items() if key != "colours"}
    plain |= {
        "sizes": Counter(f"{h}x{w}" for h, w in zip(found.heights, found.widths, strict=True))
    }
    del plain["heights"], plain["widths"]
    statistics = {} if colours is None else {k: v.tolist() for k, v in vars(colours).items()}
    return {
        **plain,
        "colours": statistics,
        "images_per_s": round(found.images_per_s, 1),
        "remarks": found.remarks(),
    }
