"""gpuconv summary."""

from typing import Annotated

import typer

from .. import models as nets
from .. import onnx
from ..errors import OnnxError, OptionError
from ..graph import Graph
from ._app import app, out, show


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
) -> None:
    """Show a model's layers: shapes, parameters, FLOPs and bytes kept for backward."""
    net = _imported(model, num_classes) if is_onnx(model) else nets.create(model, num_classes)
    made = net.summary(net.input_shape, batch_size=batch_size)
    show(made.table())
    out.print(
        f"{made.parameters:,} parameters ({made.parameters * 4 / 2**20:.1f} MiB), "
        f"{made.flops / 1e9:.3f} GFLOP forward (2 per multiply-add), "
        f"{made.kept_bytes / 2**20:.1f} MiB kept for backward at batch {batch_size}"
    )
