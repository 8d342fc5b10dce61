"""gpuconv train."""

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import device as devices
from .. import models, registry
from ..data import Preprocessing, open_dataset
from ..data.dataset import Dataset, title
from ..data.sources import resolved
from ..errors import OptionError
from ..graph import Graph
from ..limits import limits
from ..training.checkpoint import Run, next_folder
from ..training.claim import claimed
from ..training.evaluate import BATCH as TEST_BATCH
from ..training.evaluate import loader
from ..training.groups import param_groups
from ..training.optimizers import SGD
from ..training.planned import calls
from ..training.recipe import Recipe, names
from ..training.schedules import Schedule, constant, cosine, warmup
from ..training.trainer import Trainer
from ..weights.response import ResponseNorm
from ._app import app, out
from ._device import DEVICES, PLAN, Error, Workspace, measured, resolve
from ._device import plan as named
from ._foreign import preparation
from ._progress import bar
from ._recipe import Course, course_of, record, settle
from ._resume import go_on, reopen, settings_of
from ._session import Session
from ._transfer import factors, start_from

INTERRUPTED = 130  # the shell's code for SIGINT
BOUNDS = ("max_workspace", "max_error")
NO_SETTINGS = ("context", "out_folder", "resume")


@app.command()
def train(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="a model's name (gpuconv models)")] = "lenet5",
    data: Annotated[
        str,
        typer.Option(
            help="mnist (10,000 digits that come with the package), fashion-mnist, or a folder: of "
            "IDX files, binary CIFAR, tar shards, or images DIR/CLASS/*.jpg|png"
        ),
    ] = "mnist",
    recipe: Annotated[
        str | None,
        typer.Option(help=f"how to train AlexNet: {', '.join(names())}, or a file .toml like them"),
    ] = None,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    algorithm: Annotated[
        str | None,
        typer.Option(help="kernels by op, as conv2d=numpy:direct,linear=...; default: chosen"),
    ] = None,
    plan: Annotated[str | None, typer.Option(help=PLAN)] = None,
    max_workspace: Workspace = None,
    max_error: Error = None,
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
    weights: Annotated[
        str | None,
        typer.Option(help="start from these: .safetensors, .npz, PyTorch's .pth, or a run folder"),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="do not train this part, as features or layer1.0; may be repeated"),
    ] = None,
    lr_scale: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FACTOR: a part's learning rate, as features=0.1; may be repeated"),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="1: data is read ahead in a thread; more: in so many processes; same bits"
        ),
    ] = 1,
    skip_bad: Annotated[bool, typer.Option(help="leave unreadable images out, counted")] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="run folder; default: runs/MODEL-NNN")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="a run folder: go on with it, to the same bits")
    ] = None,
) -> None:
    """Train a net and keep everything about the run in a folder.

    With no argument at all: LeNet-5 on the digits that come with the package.

    The folder holds run.json (settings, versions, final figures), metrics.jsonl (losses),
    plan.json (the kernels that were taken) and model.safetensors. Ctrl-C ends after the step that
    is running, and keeps the net; --resume RUN goes on from there, or from the end of the last
    epoch where the run was killed.
    """
    settings = {k: v for k, v in locals().items() if k not in NO_SETTINGS}
    settings |= {"freeze": list(freeze or ()), "lr_scale": list(lr_scale or ())}
    run = None if resume is None else reopen(context, resume, out_folder)
    settings, followed = _settled(context, settings, run)
    folder = out_folder or next_folder("runs", settings["model"])
    if run is None:
        Run.require_free(folder)
    where = resolve(settings["device"])
    held, tuned = _limits(settings, where), measured(settings["plan"])
    train_set, test_set = (_open(settings, split) for split in ("train", "test"))
    course = course_of(followed, settings, train_set, run)
    trainer, batches = _prepare(settings, where, train_set, run, course)
    with limits(**held), limits(plan=tuned):
        _require_kernels(trainer.net, settings, where, len(test_set))
    _describe(settings["model"], trainer.net, train_set, test_set, batches)
    if settings["weights"] is not None and (run is None or not run.has_checkpoint):
        start_from(trainer.net, settings["weights"])
    if run is None:
        run = Run.create(folder, _info(trainer.net, settings, where, train_set) | record(course))
        context.with_resource(claimed(folder))
    else:
        go_on(run, trainer, train_set)
    session = Session(run, trainer, test_set, settings)
    with limits(**held), session.planned(tuned), session.recorded():
        session.fit(batches)
        session.finish()
    if session.interrupted:
        raise typer.Exit(INTERRUPTED)


def _settled(
    context: typer.Context, settings: dict[str, Any], run: Run | None
) -> tuple[dict[str, Any], Recipe | None]:
    """What holds in the end, as the run, the recipe or the model say, and the recipe."""
    if run is not None:
        return settings_of(run, context, settings), run.recipe()
    chosen = models.get(settings["model"])
    settings |= {n: getattr(chosen, n) for n in ("lr", "dropout") if settings[n] is None}
    return settings, settle(context, settings)


def _prepare(
    settings: dict[str, Any], where: str, data: Dataset, run: Run | None, course: Course
) -> tuple[Trainer, Any]:
    """The trainer, its net on the device, and the batches, as recipe, weights or run say."""
    model, seed, batch_size = (settings[name] for name in ("model", "seed", "batch_size"))
    net, recipe = models.create(model, len(data.classes), settings["dropout"], seed), course.recipe
    if recipe is not None:
        recipe.put_on(net)
        net.initialize(seed)
    net.to(where)
    if run is not None:
        run.put_form_on(net)
    elif settings["weights"] is not None:
        preparation(net, settings["weights"], recipe)
    if settings["freeze"]:
        net.freeze(*settings["freeze"])
    steps = settings["epochs"] * -(-len(data) // batch_size)
    rated = steps if recipe is not None else min(steps, settings["max_steps"] or steps)
    trainer = _trainer(net, settings, rated, course)
    options = {
        "seed": seed,
        "crop": course.crop,
        "augment": course.augment,
        "workers": settings["workers"],
    }
    return trainer, loader(net, data, batch_size, shuffle=True, **options)


def _limits(settings: dict[str, Any], where: str) -> dict[str, Any]:
    bounds = {name: settings[name] for name in BOUNDS}
    return {"plan": named(settings["algorithm"], where), **bounds}


def _require_kernels(net: Any, settings: dict[str, Any], where: str, tested: int) -> None:
    """Raise KernelError, before a folder is made, if a bound leaves a call without a kernel."""
    if all(settings[name] is None for name in BOUNDS):
        return
    here = devices.get(where)
    for is_step, batch in ((True, settings["batch_size"]), (False, min(TEST_BATCH, tested))):
        for call in calls(net, (batch, *net.input_shape), train=is_step, device=here):
            registry.choose(registry.get_op(call.op), call.problem, here, call.algorithm)


def _open(settings: dict[str, Any], split: str) -> Dataset:
    """The dataset; a bar shows the check of every image that --skip-bad asks for."""
    spec = settings["data"]
    if not settings["skip_bad"]:
        return open_dataset(spec, split)
    with bar() as progress:
        task = progress.add_task(f"checking {split} images", total=None, figures="")
        return open_dataset(
            spec,
            split,
            skip_bad=True,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _trainer(net: Graph, settings: dict[str, Any], steps: int, course: Course) -> Trainer:
    if not isfinite(settings["lr"]):
        raise OptionError(f"--lr {settings['lr']}: expected a finite number")
    options = {name: settings[name] for name in ("momentum", "weight_decay", "clip_norm")}
    if course.recipe is not None:
        optimizer = course.recipe.make_optimizer(net, steps, settings["lr"], **options)
    else:
        groups = param_groups(net, factors(settings["lr_scale"]))
        optimizer = SGD(groups, _rate(settings, steps), **options)
    told = {"seed": settings["seed"], "read_every": settings["read_every"]}
    return Trainer(net, optimizer, course.loss, **told)


def _rate(settings: dict[str, Any], steps: int) -> Schedule:
    lr, kind = settings["lr"], settings["schedule"]
    if kind not in ("cosine", "constant"):
        raise OptionError(f"--schedule {kind}: expected cosine or constant")
    return warmup(cosine(lr, steps), min(100, steps // 10)) if kind == "cosine" else constant(lr)


def _describe(model: str, net: Any, train_set: Dataset, test_set: Dataset, batches: Any) -> None:
    size = sum(parameter.size for parameter in net.parameters())
    frozen = size - sum(parameter.size for parameter in net.parameters() if parameter.trainable)
    still = f" ({frozen:,} frozen)" if frozen else ""
    shape = "x".join(map(str, net.input_shape))
    out.print(f"model: {model}, {size:,} parameters{still}, input {shape}")
    out.print(
        f"data: {title(train_set)}, {len(train_set):,} training and {len(test_set):,} test images, "
        f"{len(train_set.classes)} classes"
    )
    for message in batches.messages:
        out.print(f"data: {message}")


def _info(net: Any, settings: dict[str, Any], where: str, data: Dataset) -> dict[str, Any]:
    kept = {
        "name": settings["model"],
        "num_classes": len(data.classes),
        "dropout": settings["dropout"],
        **asdict(Preprocessing.of(net)),
    }
    del kept["classes"]
    norm = ResponseNorm.of(net)
    if norm is not None:
        kept["lrn"] = asdict(norm)
    return {
        "model": kept,
        "data": resolved(settings["data"]),
        "classes": list(data.classes),
        "images": len(data),
        "device": where,
        "settings": settings,
    }
