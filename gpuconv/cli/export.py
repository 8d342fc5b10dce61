"""gpuconv export."""

from pathlib import Path
from typing import Annotated

import typer

from .. import models, onnx
from ..data import Preprocessing
from ..data.preprocessing import KEY
from ..errors import OptionError
from ..graph import Graph
from ..training.checkpoint import SETTINGS, Run
from ._app import app, err, out
from ._foreign import foreign

ONNX = "onnx"


def _source(name: str, weights: Path | None) -> tuple[Graph, Preprocessing]:
    """What is exported, and how its images are prepared."""
    if weights is not None:
        return foreign(name, weights)
    if name not in models.models() or (Path(name) / SETTINGS).exists():
        if not Path(name).exists():
            raise OptionError(
                f"export: {name} is neither a run folder nor a model (gpuconv models lists them)"
            )
        run = Run.open(name)
        return run.net(), run.preprocessing()
    err.print(f"{name} has its initial values; --weights FILE gives it others", style="dim")
    net = models.create(name)
    return net, Preprocessing.of(net)


@app.command()
def export(
    run: Annotated[
        str, typer.Argument(help="a run folder that gpuconv train made, or a model's name")
    ],
    to: Annotated[str, typer.Option(help="the format: onnx")] = ONNX,
    weights: Annotated[
        Path | None, typer.Option(help="the model's weights: .safetensors, .npz, PyTorch's .pth")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", help="the file to write; default: RUN/model.onnx, or MODEL.onnx"),
    ] = None,
    opset: Annotated[int, typer.Option(help="version of ONNX's operators")] = onnx.OPSET,
) -> None:
    """Write a trained net as a file that other frameworks run.

    The file takes images as the net does, any number at once; its metadata says how they are
    prepared (gpuconv.preprocessing, JSON), and what the classes are.
    """
    if to != ONNX:
        raise OptionError(f"export: cannot write {to!r}; expected {ONNX}")
    net, prepare = _source(run, weights)
    is_run = weights is None and (Path(run) / SETTINGS).exists()
    place = file or (Path(run) / "model.onnx" if is_run else Path(f"{run}.onnx"))
    onnx.save(net, place, opset=opset, metadata={KEY: prepare.dumps()})
    size = place.stat().st_size
    out.print(f"exported: {place}, {size / 1e6:,.1f} MB, opset {opset}")
