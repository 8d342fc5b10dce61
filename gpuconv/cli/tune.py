"""gpuconv tune."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .. import device as devices
from .. import models, plans, registry
from ..benchmarks import suite, tuner
from ..benchmarks.cases import known_shape
from ..benchmarks.tuner import INFER, TRAIN, Outcome, Task
from ..device import Device
from ..errors import DeviceError, GpuconvError, OptionError
from ..limits import limits
from ..plans import Plan
from ._app import app, err, out, show
from ._bench_table import figure
from ._device import Error, Workspace, resolve
from ._load import load
from ._progress import bar

DEFAULT = "lenet5"
INTERRUPTED = 130  # the shell's code for SIGINT


@app.command()
def tune(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL|SHAPE|OP]...",
            help="models (gpuconv models), depthwise, or sizes: n=1,c=3,h=32,w=32,k=8,r=3,s=3; "
            f"with ops, only those; default: {DEFAULT}",
        ),
    ] = None,
    mode: Annotated[
        bool | None,
        typer.Option("--train/--inference", help="only this pass of a model; default: both"),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="images; more than once for several; default: 64, large ones 16"),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="only these against the chosen one: numba:direct,winograd; default: all"),
    ] = None,
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="a Python file that registers kernels")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: the fastest here")] = "auto",
    seconds: Annotated[float, typer.Option(min=0, help="of timing for each problem")] = 1.0,
    rounds: Annotated[int, typer.Option(min=tuner.LEAST, help="at most, for each problem")] = 15,
    plan: Annotated[
        Path | None, typer.Option(help="the file to read and write; default: in the cache folder")
    ] = None,
    max_workspace: Workspace = None,
    max_error: Error = None,
    again: Annotated[bool, typer.Option("--again", help="measure what the plan has, too")] = False,
) -> None:
    """Measure which kernel is the fastest for each problem of a model, and remember it in a plan.

    Every kernel is checked first, against float64 and within the error that it declares; those that
    are right are timed in turn, round by round. The kernel that would have been taken stays unless
    another one beats it beyond the noise, and again in a second measurement. The plan is written
    after every problem: Ctrl-C loses nothing, and the next run goes on from there.

    From then on kernels are chosen as the plan says, on this machine and with these versions; see
    `gpuconv explain`. GPUCONV_PLAN=none does without.
    """
    for file in with_ or []:
        load(file, "tune")
    tasks_for = _asked(what or [], algorithm)
    target = plan or plans.place()
    if target is None:
        raise OptionError(f"tune: {plans.VARIABLE} is none; name a file with --plan")
    found = plans.open_or_new(target)
    here = _device(device)
    modes = (TRAIN, INFER) if mode is None else (TRAIN,) if mode else (INFER,)
    run = Run(target, found, here, tasks_for.algorithms, seconds, rounds)
    with limits(plan=found, max_workspace=max_workspace, max_error=max_error):
        todo = run.todo(_tasks(tasks_for, batch_size or [None], here, modes), again)
        interrupted = run.measure(todo)
    run.report()
    if interrupted:
        err.print(f"interrupted after {len(run.outcomes)} of {len(todo)} problems")
        raise typer.Exit(INTERRUPTED)


def _asked(what: list[str], algorithm: str | None) -> suite.Wanted:
    """Ops, and the full names of models and shapes; raises OptionError or KernelError."""
    names = [word.strip() for word in (algorithm or "").split(",") if word.strip()]
    ops = [name for name in what if name in registry.ops()]
    nets = [n if "=" in n else known_shape(n, "tune") for n in what if n not in ops] or [DEFAULT]
    return suite.wanted(ops, nets, names, [])


def _device(name: str) -> Device:
    kind = resolve(name)
    if kind == "emulated":
        raise DeviceError("tune: an emulated GPU's time means nothing; use cpu or cuda")
    return devices.get(kind)


def _tasks(
    asked: suite.Wanted, batches: Iterable[int | None], here: Device, modes: tuple[str, ...]
) -> list[Task]:
    """Every problem once, in order; raises OptionError where there is none."""
    found: dict[str, Task] = {}
    for name in asked.shapes:
        for batch in batches:
            if name in models.models():
                tasks = tuner.of_model(name, batch, here, modes)
            else:
                tasks = tuner.of_shape(name, asked.ops, batch, here)
            for task in tasks:
                found.setdefault(task.key, task)
    kept = [task for task in found.values() if not asked.ops or task.op in asked.ops]
    if not kept:
        listed = ", ".join(dict.fromkeys(task.op for task in found.values()))
        raise OptionError(
            f"tune: {', '.join(asked.shapes)} has no {', '.join(asked.ops)}; it has {listed}"
        )
    return kept


@dataclass
class Run:
    """A plan on its way: what was found so far is in the file."""

    file: Path
    plan: Plan
    device: Device
    algorithms: tuple[str, ...]
    seconds: float
    rounds: int
    outcomes: list[Outcome] = field(default_factory=list)

    def todo(self, tasks: list[Task], again: bool) -> list[Task]:
        """The problems with a choice that are not measured yet; says how many others there are."""
        open_ = [t for t in tasks if len(tuner.rivals(t, self.device, self.algorithms)) > 1]
        known = self.plan.entries(self.device)
        left = [t for t in open_ if again or t.key not in known or not known[t.key].seconds]
        out.print(
            f"plan: {self.file}\n{len(tasks)} problems: {len(tasks) - len(open_)} have one kernel, "
            f"{len(open_) - len(left)} are in the plan, {len(left)} to measure"
        )
        return left

    def measure(self, todo: list[Task]) -> bool:
        """Tune each and write it down; whether Ctrl-C ended it before its time."""
        with bar() as progress:
            task = progress.add_task("tune", total=len(todo), figures="")
            try:
                for one in todo:
                    progress.update(task, figures=f"{one.op} {one.key[len(one.op) :][:40]}")
                    self._one(one)
                    progress.advance(task)
            except KeyboardInterrupt:
                return True
        return False

    def _one(self, task: Task) -> None:
        kernels = tuner.rivals(task, self.device, self.algorithms)
        try:
            found = tuner.tune(task, kernels, self.device, seconds=self.seconds, rounds=self.rounds)
        except GpuconvError as error:  # nothing to compare with, or no memory: the others go on
            err.print(f"not measured: {task.key}: {error}")
            return
        self.outcomes.append(found)
        for fault in found.faults:
            err.print(f"{task.key}: {fault}")
        if found.seconds:
            self.plan = self.plan.having(self.device, {task.key: found.entry})
            plans.save(self.plan, self.file)

    def report(self) -> None:
        """What changed and by how much."""
        changed = [one for one in self.outcomes if one.kernel != one.before]
        if changed:
            show(_table(changed))
        stay = len(self.outcomes) - len(changed)
        out.print(f"{len(changed)} changed; {stay} stay: nothing is faster beyond the noise")


def _table(changed: Iterable[Outcome]) -> Table:
    table = Table()
    for head in ("problem", "before", "ms", "now", "ms", "times as fast"):
        table.add_column(head, justify="right" if head in ("ms", "times as fast") else "left")
    for one in sorted(changed, key=lambda one: -(one.factor or 0)):
        times = one.seconds
        before = figure(1e3 * times[one.before]) if one.before in times else "wrong"
        factor = "" if one.factor is None else f"{one.factor:.2f}"
        now = figure(1e3 * times[one.kernel])
        table.add_row(one.task.key, one.before, before, one.kernel, now, factor)
    return table
