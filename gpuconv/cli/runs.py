"""gpuconv runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..training.history import Entry, entries
from ._app import app, out, show


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="a folder of run folders, or one")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON list")] = False,
) -> None:
    """List the runs in a folder: how each ended, or whether it still runs.

    killed: it ended without a word; gpuconv train --resume goes on with it, as with a stopped one.
    """
    found = entries(folder)
    if as_json:
        out.print_json(json.dumps([asdict(entry) for entry in found]))
        return
    if not found:
        out.print(f"no runs in {folder}; gpuconv train makes one")
        return
    show(_table(found))
    for entry in found:
        if entry.error:
            out.print(f"{entry.folder}: {' '.join(entry.error.split())}")


def _table(found: list[Entry]) -> Table:
    table = Table()
    for head in ("run", "state", "model", "data"):
        table.add_column(head, overflow="fold")
    for head in ("epochs", "best test accuracy", "started (UTC)"):
        table.add_column(head, justify="right", no_wrap=True)
    for entry in found:
        state = f"{entry.state}, process {entry.pid}" if entry.pid else entry.state
        done = f"{_or_dash(entry.epochs_done)} / {_or_dash(entry.epochs)}"
        best = "-" if entry.best_accuracy is None else f"{entry.best_accuracy:.4f}"
        when = entry.started[:16].replace("T", " ")
        table.add_row(entry.folder, state, entry.model, entry.data, done, best, when)
    return table


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
