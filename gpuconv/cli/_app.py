"""The typer application: errors as one red line, exit code 2."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from .. import _cache
from .._version import __version__
from ..cpu.progress import on_compiling
from ..errors import GpuconvError

# No markup: file and class names are printed as they are, brackets and colons included.
_PLAIN: Any = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
out = Console(**_PLAIN)
err = Console(stderr=True, **_PLAIN)


def show(table: Table) -> None:
    """Print a table; in a pipe nothing is folded or cut, so that a row is a line."""
    console = out if out.is_terminal else Console(file=out.file, width=1000, **_PLAIN)
    console.print(table)


class Group(TyperGroup):
    """Turns a GpuconvError into one red line and exit code 2, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except GpuconvError as error:
            notes = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
            text = " ".join(f"{error}{notes}".split())
            err.print(f"error: {text}", style="red")
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train convolutional networks on kernels that you can read, choose and measure.",
    epilog="Start with: gpuconv train    (LeNet-5 on 10,000 handwritten digits, no download)",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        out.print(f"gpuconv {__version__}")
        raise typer.Exit


def _say_compiling() -> None:
    err.print(f"compiling kernels for this CPU; they are kept in {_cache.folder()}", style="dim")


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Hear what is asked of the program itself."""
    on_compiling(_say_compiling)
