"""gpuconv train --resume: a run goes on with its own settings from where it was stopped."""

from pathlib import Path
from typing import Any

import typer

from ..data.dataset import Dataset, title
from ..data.sources import resolved
from ..errors import DataError, OptionError, RunError
from ..training.checkpoint import Run, versions
from ..training.claim import claimed
from ..training.trainer import Trainer
from ._app import out


def reopen(context: typer.Context, folder: Path, out_folder: Path | None) -> Run:
    """The run to go on with, claimed as long as ``context`` lasts.

    Raises OptionError or RunError if that cannot be.
    """
    if out_folder is not None:
        raise OptionError(f"--out {out_folder}: --resume {folder} goes on in its own folder")
    Run.open(folder)
    context.with_resource(claimed(folder))
    run = Run.open(folder)  # as its last owner left it
    if run.info.get("status") == "done":
        raise RunError(f"{folder}: this run is done, there is nothing to resume; start a new one")
    return run


def settings_of(run: Run, context: typer.Context, given: dict[str, Any]) -> dict[str, Any]:
    """The run's settings; raises OptionError for an option that was given and is another there."""
    kept = run.info.get("settings")
    if not isinstance(kept, dict) or not _alike(kept, given):
        raise RunError(
            f"{run.folder}: its settings are not those of this gpuconv train; start a new run"
        )
    settings = {**kept, "device": run.info["device"], "data": run.info["data"]}
    for name, value in given.items():
        source = context.get_parameter_source(name)
        wanted = resolved(value) if name == "data" else value
        if source is None or source.name != "COMMANDLINE" or wanted == settings[name]:
            continue
        raise OptionError(
            f"--resume {run.folder}: {name} was {settings[name]} there, not {wanted}; leave it "
            "out, or start a new run"
        )
    return settings


def _alike(kept: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether every setting is there and of the type that it has on the command line."""
    types = {name: {type(value), type(kept.get(name))} for name, value in given.items()}
    return set(kept) == set(given) and all(
        len(found - {type(None)}) <= 1 for found in types.values()
    )


def go_on(run: Run, trainer: Trainer, data: Dataset) -> None:
    """Put the state back that the run was stopped in, and forget what it logged since.

    Raises DataError for other data than the run began with, StateError for a damaged checkpoint.
    """
    if list(data.classes) != run.info["classes"] or len(data) != run.info.get("images"):
        raise DataError(
            f"--resume {run.folder}: {title(data)} has {len(data)} training images of "
            f"{len(data.classes)} classes, but the run began with {run.info.get('images')} of "
            f"{len(run.info['classes'])}, or of other names; bring the data back"
        )
    run.restore(trainer.net, trainer.optimizer)
    steps = trainer.step.steps
    run.cut_log(steps)
    for name, now in versions().items():
        before = run.info.get("versions", {}).get(name)
        if before != now:
            out.print(f"resumed: {name} was {before} and is {now}: the bits may differ")
    run.info = {key: v for key, v in run.info.items() if key not in ("error", "final")}
    run.write(status="running", resumed=[*run.info.get("resumed", []), steps])
    out.print(f"resumed: {run.folder} after step {steps}")
