"""gpuconv summary."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from .. import models as nets
from .. import onnx
from ..cpu import memory as machine
from ..errors import DeviceError, OnnxError, OptionError
from ..graph import Graph
from ..layers import Layer
from ..training.footprint import Footprint, footprint, largest, peak
from ._app import app, out, show
from ._peak import measured, optimizer

GIB = 2**30
UNFIT = 1  # the exit code of a training that does not fit


def is_onnx(model: str) -> bool:
    """Whether the argument names an ONNX file rather than a model."""
    return model.lower().endswith(".onnx")


def _imported(model: str, num_classes: int | None) -> Graph:
    if num_classes is not None:
        raise OptionError("summary: --num-classes is for a model's name; an .onnx file has its own")
    net = onnx.load(model)
    if not hasattr(net, "input_shape"):
        raise OnnxError(f"summary: {model} does not say which (N, C, H, W) it takes; fix its input")
    return net


@app.command()
def summary(
    model: Annotated[
        str, typer.Argument(help="a model's name (gpuconv models lists them), or an .onnx file")
    ],
    num_classes: Annotated[
        int | None, typer.Option(help="outputs; default: the model's own")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="images in a batch")] = 1,
    train: Annotated[
        bool, typer.Option("--train", help="plan the memory of training on the CPU")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="take some steps, and see their peak too")
    ] = False,
    memory: Annotated[
        float | None,
        typer.Option(min=0.0, help="GiB for the training to fit into; default: this machine's"),
    ] = None,
) -> None:
    """Show a model's layers: shapes, parameters, FLOPs and bytes kept for backward.

    With --train also what training takes, with SGD and momentum; a batch that does not fit is
    answered by the largest that does, and exit code 1.
    """
    if measure and is_onnx(model):
        raise OptionError("summary: --measure is for a model's name; --train plans an .onnx file's")
    make = partial(_imported if is_onnx(model) else nets.create, model, num_classes)
    net = make()
    made = net.summary(net.input_shape, batch_size=batch_size)
    show(made.table())
    out.print(
        f"{made.parameters:,} parameters ({made.parameters * 4 / 2**20:.1f} MiB), "
        f"{made.flops / 1e9:.3f} GFLOP forward (2 per multiply-add), "
        f"{made.kept_bytes / 2**20:.1f} MiB kept for backward at batch {batch_size}"
    )
    if train or measure or memory is not None:
        limit = machine.total() if memory is None else int(memory * GIB)
        found = _plan(make, batch_size, limit)
        if measure:
            _measure(model, num_classes, found)


def _plan(make: Callable[[], Layer], size: int, limit: int) -> Footprint:
    """Print the plan and give it; ends the command where it does not fit."""
    try:
        found = footprint(make, optimizer, size)
    except DeviceError:
        found = None
    if found is not None:
        show(_table(found))
    if found is None or found.total > limit:
        fits = largest(lambda batch: peak(make, optimizer, batch), size - 1, limit)
        best = f"the largest batch that fits is {fits}" if fits else "no batch fits"
        out.print(f"a batch of {size} does not fit into {limit / 2**20:,.1f} MiB; {best}")
        raise typer.Exit(UNFIT)
    return found


def _measure(model: str, num_classes: int | None, found: Footprint) -> None:
    """Print the peak of real steps beside the plan."""
    most = measured(model, num_classes, found.batch_size)
    out.print(
        f"measured peak {most / 2**20:,.1f} MiB; the plan is {found.total / most - 1:+.1%} off"
    )


def _table(found: Footprint) -> Table:
    table = Table("training on the CPU")
    table.add_column("MiB", justify="right")
    for name, size in found.parts().items():
        table.add_row(name, f"{size / 2**20:,.1f}")
    table.add_section()
    table.add_row(f"peak at batch {found.batch_size}", f"{found.total / 2**20:,.1f}", style="bold")
    table.caption = "besides the program, and images that are read ahead"
    return table
