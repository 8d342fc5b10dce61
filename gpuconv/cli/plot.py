"""gpuconv plot."""

from pathlib import Path
from typing import Annotated

import typer

from ..viz.curves import plot as draw
from ._app import app, out


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(help="run folders")],
    picture: Annotated[
        Path, typer.Option("--out", help="the picture: a name that ends in .svg or .png")
    ] = Path("curves.svg"),
) -> None:
    """Draw loss, test accuracy and learning rate of runs, all on one page.

    It needs matplotlib: pip install 'gpuconv[plot]'.
    """
    draw(runs, picture)
    out.print(f"picture: {picture}")
