"""gpuconv models."""

from rich.table import Table

from .. import models as nets
from ._app import app, show


@app.command()
def models() -> None:
    """List the nets that can be trained by name."""
    columns = ("model", "input", "classes", "parameters", "GFLOPs", "source", "what it is")
    table = Table(*columns, caption="GFLOPs: forward, one image, 2 per multiply-add")
    for name, entry in nets.models().items():
        net = nets.create(name)
        size = sum(parameter.size for parameter in net.parameters())
        shape = "x".join(map(str, entry.input_shape))
        work = f"{net.flops((1, *entry.input_shape)) / 1e9:.3g}"
        numbers = (str(entry.num_classes), f"{size:,}", work)
        table.add_row(name, shape, *numbers, entry.source, entry.summary)
    show(table)
