"""gpuconv train."""

from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import data as datasets
from .. import models
from ..data import open_dataset
from ..data.dataset import Dataset, title
from ..data.sources import resolved
from ..errors import OptionError
from ..graph import Graph
from ..limits import limits
from ..training.checkpoint import Run, next_folder
from ..training.evaluate import loader
from ..training.optimizers import SGD
from ..training.schedules import constant, cosine, warmup
from ..training.trainer import Trainer
from ._app import app, out
from ._device import DEVICES, plan, resolve
from ._progress import bar
from ._session import Session

INTERRUPTED = 130  # the shell's code for SIGINT


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="a model's name (gpuconv models)")] = "lenet5",
    data: Annotated[
        str,
        typer.Option(
            help="mnist (10,000 digits that come with the package), fashion-mnist, a folder of IDX "
            "files, or a folder of images DIR/CLASS/*.jpg|png"
        ),
    ] = "mnist",
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    algorithm: Annotated[
        str | None,
        typer.Option(help="kernels by op, as conv2d=numpy:direct,linear=...; default: chosen"),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="passes over the training images")] = 12,
    max_steps: Annotated[int | None, typer.Option(min=1, help="stop after this many steps")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="images in a step")] = 64,
    lr: Annotated[
        float | None, typer.Option(min=0.0, help="highest learning rate; default: the model's own")
    ] = None,
    momentum: Annotated[float, typer.Option(min=0.0, help="of SGD")] = 0.9,
    weight_decay: Annotated[float, typer.Option(min=0.0, help="of SGD")] = 5e-4,
    schedule: Annotated[
        str, typer.Option(help="cosine (down to 0, after a short warm-up) or constant")
    ] = "cosine",
    shift: Annotated[
        int, typer.Option(min=0, help="augment: move each image by up to so many pixels")
    ] = 2,
    flip: Annotated[bool, typer.Option(help="augment: mirror every other image")] = False,
    dropout: Annotated[float | None, typer.Option(min=0.0, help="default: the model's own")] = None,
    clip_norm: Annotated[float | None, typer.Option(help="bound the gradient's norm")] = None,
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bits")] = 0,
    read_every: Annotated[int, typer.Option(min=1, help="steps between readings of the loss")] = 10,
    eval_every: Annotated[
        int, typer.Option(min=0, help="epochs between test accuracies; 0: only at the end")
    ] = 0,
    skip_bad: Annotated[bool, typer.Option(help="leave unreadable images out, counted")] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="run folder; default: runs/MODEL-NNN")
    ] = None,
) -> None:
    """Train a net and keep everything about the run in a folder.

    With no argument at all: LeNet-5 on the digits that come with the package.

    The folder holds run.json (settings, versions, final figures), metrics.jsonl (losses) and
    model.safetensors. Ctrl-C ends after the step that is running, and keeps the net.
    """
    settings = {k: v for k, v in locals().items() if k != "out_folder"}
    settings["lr"] = models.get(model).lr if lr is None else lr
    folder = out_folder or next_folder("runs", model)
    Run.require_free(folder)
    where = resolve(device)
    settings["dropout"] = models.get(model).dropout if dropout is None else dropout
    kernels = plan(algorithm, where)
    train_set = _open(data, "train", skip_bad)
    test_set = _open(data, "test", skip_bad)
    net = models.create(model, len(train_set.classes), dropout, seed).to(where)
    steps = epochs * -(-len(train_set) // batch_size)
    trainer = _trainer(net, settings, min(steps, max_steps or steps))
    batches = loader(
        net, train_set, batch_size, shuffle=True, seed=seed, augment=_augmentations(shift, flip)
    )
    _describe(net, model, train_set, test_set, batches)
    run = Run.create(folder, _info(net, settings, where, train_set))
    session = Session(run, trainer, test_set, settings)
    with limits(plan=kernels), session.recorded():
        session.fit(batches)
        session.finish()
    if session.interrupted:
        raise typer.Exit(INTERRUPTED)


def _open(spec: str, split: str, skip_bad: bool) -> Dataset:
    """The dataset; a bar shows the check of every image that --skip-bad asks for."""
    if not skip_bad:
        return open_dataset(spec, split)
    with bar() as progress:
        task = progress.add_task(f"checking {split} images", total=None, figures="")
        return open_dataset(
            spec,
            split,
            skip_bad=True,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _augmentations(shift: int, flip: bool) -> list[Any]:
    chosen: list[Any] = [datasets.random_shift(shift)] if shift else []
    return [*chosen, datasets.random_flip()] if flip else chosen


def _trainer(net: Graph, settings: dict[str, Any], steps: int) -> Trainer:
    lr, kind = settings["lr"], settings["schedule"]
    if not isfinite(lr):
        raise OptionError(f"--lr {lr}: expected a finite number")
    if kind not in ("cosine", "constant"):
        raise OptionError(f"--schedule {kind}: expected cosine or constant")
    rate = warmup(cosine(lr, steps), min(100, steps // 10)) if kind == "cosine" else constant(lr)
    optimizer = SGD(
        net.parameters(),
        rate,
        settings["momentum"],
        settings["weight_decay"],
        clip_norm=settings["clip_norm"],
    )
    return Trainer(net, optimizer, seed=settings["seed"], read_every=settings["read_every"])


def _describe(net: Graph, model: str, train_set: Dataset, test_set: Dataset, batches: Any) -> None:
    size = sum(parameter.size for parameter in net.parameters())
    out.print(f"model: {model}, {size:,} parameters, input {'x'.join(map(str, net.input_shape))}")
    out.print(
        f"data: {title(train_set)}, {len(train_set):,} training and {len(test_set):,} test images, "
        f"{len(train_set.classes)} classes"
    )
    for message in batches.messages:
        out.print(f"data: {message}")


def _info(net: Graph, settings: dict[str, Any], where: str, data: Dataset) -> dict[str, Any]:
    kept = {
        "name": settings["model"],
        "num_classes": len(data.classes),
        "dropout": settings["dropout"],
        "input_shape": net.input_shape,
        "mean": net.mean,
        "std": net.std,
    }
    return {
        "model": kept,
        "data": resolved(settings["data"]),
        "classes": list(data.classes),
        "device": where,
        "settings": settings,
    }
