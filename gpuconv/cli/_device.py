"""Which device and which kernels a command runs on."""

from pathlib import Path
from typing import Annotated

import typer

from .. import device as devices
from .. import plans, registry
from ..errors import KernelError, OptionError
from ..plans import Plan
from ._app import out

DEVICES = (
    "cpu, cuda, emulated (the CUDA kernels without a GPU: slow, for looking), or auto: the fastest "
    "that is here"
)
Workspace = Annotated[
    int | None, typer.Option(min=0, help="bytes that a call may take besides its arrays")
]
Error = Annotated[float | None, typer.Option(min=0, help="of a kernel, relative, at most")]
PLAN = "a plan of gpuconv tune; default: this machine's, in the cache folder"


def resolve(name: str, *, quiet: bool = False) -> str:
    """The device's kind; prints what was taken and why. Raises DeviceError if it is not here."""
    chosen = devices.get(name)
    why = devices.auto()[1] if name == "auto" else f"{chosen} (as asked)"
    if not quiet:
        out.print(f"device: {why}")
    return chosen.kind


def plan(text: str | None, device: str) -> dict[str, str]:
    """``op=kernel,...`` as a plan; raises OptionError or KernelError naming what is unknown."""
    chosen: dict[str, str] = {}
    for entry in filter(None, (text or "").split(",")):
        name, found, kernel = entry.partition("=")
        if not found or not kernel:
            raise OptionError(f"--algorithm {entry}: expected op=kernel, as conv2d=numpy:direct")
        here = [k for k in registry.get_op(name).kernels() if device in k.devices]
        if kernel not in {word for k in here for word in (k.name, k.algorithm)}:
            listed = ", ".join(k.name for k in here) or "none"
            raise KernelError(f"--algorithm {entry}: no such kernel on {device}; it has {listed}")
        chosen[name] = kernel
    return chosen


def measured(file: str | Path | None) -> Plan:
    """The plan of ``--plan``, else this machine's; raises DataError for one that is not there."""
    return plans.usual() if file is None else plans.load(file)
