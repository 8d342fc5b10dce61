"""gpuconv summary."""

from typing import Annotated

import typer

from .. import models as nets
from ._app import app, out, show


@app.command()
def summary(
    model: Annotated[str, typer.Argument(help="a model's name (gpuconv models lists them)")],
    num_classes: Annotated[
        int | None, typer.Option(help="outputs; default: the model's own")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="images in a batch")] = 1,
) -> None:
    """Show a model's layers: shapes, parameters, FLOPs and bytes kept for backward."""
    net = nets.create(model, num_classes)
    made = net.summary(net.input_shape, batch_size=batch_size)
    show(made.table())
    out.print(
        f"{made.parameters:,} parameters ({made.parameters * 4 / 2**20:.1f} MiB), "
        f"{made.flops / 1e9:.3f} GFLOP forward (2 per multiply-add), "
        f"{made.kept_bytes / 2**20:.1f} MiB kept for backward at batch {batch_size}"
    )
