"""gpuconv models."""

from rich.table import Table

from .. import models as nets
from ._app import app, show


@app.command()
def models() -> None:
    """List the nets that can be trained by name."""
    table = Table("model", "input", "classes", "parameters", "what it is")
    for name, entry in nets.models().items():
        size = sum(parameter.size for parameter in nets.create(name).parameters())
        shape = "x".join(map(str, entry.input_shape))
        table.add_row(name, shape, str(entry.num_classes), f"{size:,}", entry.summary)
    show(table)
