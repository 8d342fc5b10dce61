"""gpuconv pack."""

from pathlib import Path
from typing import Annotated

import typer

from ..data import open_dataset
from ..data.pack import SHARD_IMAGES, SIDE, pack
from ..data.packed import PackedImages
from ._app import app, out
from ._progress import bar

_SPLITS = ("train", "test")
_BAD = 10  # named before the rest is only counted


@app.command("pack")
def pack_command(
    data: Annotated[str, typer.Argument(help="what to pack: a folder, as train --data")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="the folder to make")],
    side: Annotated[int, typer.Option(min=1, help="height and width of packed images")] = SIDE,
    grey: Annotated[bool, typer.Option(help="one channel in place of three")] = False,
    shard_images: Annotated[int, typer.Option(min=1, help="images in a file")] = SHARD_IMAGES,
    processes: Annotated[
        int | None, typer.Option(min=1, help="decode in so many at once; default: the cores")
    ] = None,
) -> None:
    """Decode images once, into files that training reads at the speed of memory.

    The shorter side becomes 256 and the middle is kept, as the AlexNet paper does. Killed, the same
    command goes on where it was. Images that cannot be read are left out, named and counted. Train
    with: gpuconv train MODEL --data OUT
    """
    datasets = {split: open_dataset(data, split) for split in _SPLITS}
    with bar() as progress:
        task = progress.add_task("packing", total=None, figures="shards")
        plan = pack(
            datasets,
            folder,
            side=side,
            channels=1 if grey else 3,
            shard_images=shard_images,
            processes=processes,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    made = {split: PackedImages(folder, split) for split in datasets}
    bad = [message for part in made.values() for message in part.bad]
    for message in bad[:_BAD]:
        out.print(f"left out: {message}")
    counts = ", ".join(f"{len(part):,} {split}" for split, part in made.items())
    size = sum(map(len, made.values())) * plan.image_bytes
    shape = f"{plan.side}x{plan.side}x{plan.channels}"
    out.print(f"packed: {folder}: {counts} images of {shape}, {size / 1e6:,.1f} MB")
    out.print(f"unreadable images left out: {len(bad):,}")
