"""gpuconv kernels."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .. import device as devices
from .. import kernel_files, registry
from ..errors import DeviceError
from ._app import app, out, show
from ._load import load

BOUNDS = {"element": "", "plane": " of a plane's greatest"}  # what an error is measured against


def _idea(kernel: registry.Kernel) -> str:
    """The first sentence of the file that holds the kernel."""
    text = (sys.modules[kernel.run.__module__].__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split()).partition(": ")[2] or text


def _reason(device: str) -> str | None:
    """Why a device is not available, or None."""
    try:
        devices.get(device)
    except DeviceError as error:
        return str(error)
    return None


@app.command()
def kernels(
    op: Annotated[str | None, typer.Argument(help="one op's kernels; default: every op's")] = None,
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="a Python file that registers kernels")
    ] = None,
) -> None:
    """List the kernels of every op: which are available here, in the order they are tried."""
    for file in with_ or []:
        load(file, "kernels")
    why = devices.auto()[1]
    reasons = {name: _reason(name) for name in devices.NAMES if name != "auto"}
    names = [op] if op is not None else list(registry.ops())
    table = Table()
    for head in ("op", "kernel", "devices", "rank", "error", "available", "idea"):
        table.add_column(head, no_wrap=head in ("op", "kernel"))
    for name in names:
        for kernel in registry.get_op(name).kernels():
            open_to = [name for name in kernel.devices if reasons[name] is None]
            available = f"on {', '.join(open_to)}" if open_to else "no"
            bound = f"{kernel.error:g} eps{BOUNDS[kernel.bound]}"
            devs, rank = ", ".join(kernel.devices), str(kernel.rank)
            table.add_row(name, kernel.name, devs, rank, bound, available, _idea(kernel))
    show(table)
    out.print(f"device: {why}")
    for reason in filter(None, reasons.values()):
        out.print(reason)
    for module, package in kernel_files.MISSING.items():
        out.print(f"not loaded: {module} (needs the package {package})")
