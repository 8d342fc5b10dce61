"""Finds the fastest kernel for each problem: proven right first, then timed in turn.

A winner has to beat the kernel that would be taken without it, beyond the noise and twice: the
fastest of several that are equally fast is otherwise somebody new each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuconv import formats, models, plans, registry
from gpuconv.device import CPU, Device
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import Kernel
from gpuconv.training.planned import calls

from . import cases, contest, measure
from .cases import Case
from .contest import OwnKernel
from .measure import Rival, Rivals
from .values import truth, values

HOPELESS = 3.0  # times as long as the fastest at first sight: not timed further
LEAST = 5  # rounds, fewer of which prove nothing
TRAIN, INFER = "train", "inference"


@dataclass(frozen=True)
class Task:
    """A problem to find a kernel for; ``keeps``: weights that were prepared once may be kept."""

    op: str
    problem: Problem
    keeps: bool = False

    @property
    def key(self) -> str:
        """As plans have it."""
        return plans.key(self.op, self.problem)


@dataclass(frozen=True)
class Outcome:
    """What came of a task: seconds by kernel, the kernel that was taken before, and is now."""

    task: Task
    before: str
    kernel: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def entry(self) -> plans.Entry:
        """As plans keep it."""
        return plans.Entry(self.kernel, self.seconds)

    @property
    def factor(self) -> float | None:
        """How many times as long the kernel before takes; None where it was not timed."""
        times = self.seconds
        return times[self.before] / times[self.kernel] if self.before in times else None


def of_model(
    name: str, batch_size: int | None, device: Device, modes: Iterable[str] = (TRAIN, INFER)
) -> list[Task]:
    """The problems of a model's training step and of its inference pass, as they really occur.

    In the formats of each, with what is fused; not those for which a layer names a kernel.
    """
    net = models.create(name)
    count = cases.batch_for(name) if batch_size is None else batch_size
    found: dict[str, Task] = {}
    for mode in modes:
        shape = (count, *net.input_shape)
        for call in calls(net, shape, train=mode == TRAIN, device=device):
            task = Task(call.op, call.problem, keeps=mode == INFER and device == CPU)
            if call.algorithm is None:
                found.setdefault(task.key, task)
    return list(found.values())


def of_shape(text: str, ops: Iterable[str], batch_size: int | None, device: Device) -> list[Task]:
    """A shape that is written out, or "depthwise": plain, and in the CPU's blocks of channels."""
    found = []
    for case in cases.cases(text, ops, batch_size):
        found.append(Task(case.op, case.problem))
        if device == CPU and case.problem.formatted:
            found.append(Task(case.op, case.problem.in_format(formats.native())))
    return found


def rivals(task: Task, device: Device, wanted: Iterable[str] = ()) -> list[Kernel]:
    """The kernels that may be taken for a problem under the limits in force; lowest rank first.

    ``wanted``: full names, algorithms or backends, beside the one that is chosen; default all.
    """
    chosen = registry.find(registry.get_op(task.op), task.problem, device)
    names, limits = set(wanted), current_limits()
    return [
        kernel
        for kernel in registry.get_op(task.op).kernels()
        if kernel.objection(task.problem, device, limits) is None
        and (
            not names or kernel is chosen or names & {kernel.name, kernel.algorithm, kernel.backend}
        )
    ]


def tune(
    task: Task, kernels: Iterable[Kernel], device: Device, *, seconds: float, rounds: int
) -> Outcome:
    """Time the kernels that are right; the one before stays unless another one beats it twice.

    Raises KernelError where there is nothing to compare results with.
    """
    before = registry.choose(registry.get_op(task.op), task.problem, device).name
    with np.errstate(all="ignore"):  # NaN and infinity flow, as in ops
        calls, faults = _right(task, kernels, device)
        first = {name: measure.quick(call) for name, call in calls.items()}
        limit = HOPELESS * min(first.values(), default=0.0)
        near = {n: c for n, c in calls.items() if first[n] <= limit or n == before}
        if not near:
            return Outcome(task, before, before, {}, faults)
        timed = _timed(near, seconds, rounds)
        winner = _winner(timed, before)
        if winner != before and before in near:
            again = _timed({n: near[n] for n in (before, winner)}, seconds, rounds)
            winner = winner if again.beats(winner, before) else before
    found = first | {name: timed.timing(name).median for name in near}
    return Outcome(task, before, winner, found, faults)


def _timed(calls: Mapping[str, Rival], seconds: float, rounds: int) -> Rivals:
    return measure.interleaved(calls, seconds=seconds, rounds=rounds, least=LEAST)


def _winner(timed: Rivals, before: str) -> str:
    """The fastest if it beats the kernel before, or if that one is not among the rivals."""
    fastest = min(timed.samples, key=lambda name: timed.timing(name).median)
    if fastest == before or before not in timed.samples:
        return fastest
    return fastest if timed.beats(fastest, before) else before


def _right(
    task: Task, kernels: Iterable[Kernel], device: Device
) -> tuple[dict[str, Rival], tuple[str, ...]]:
    """Calls of the kernels whose results are within their error, and a line for each other."""
    op, plain = registry.get_op(task.op), task.problem.plain
    case = Case("", (task.key,), task.op, plain)
    arrays: list[Any] = values(op, plain)
    right = truth(op, plain, arrays)
    calls, faults = {}, []
    for kernel in kernels:
        one = OwnKernel(kernel, task.problem.format, device, task.keeps)
        row, call = contest.check(case, one, arrays, right)
        if call is None:
            faults.append(f"{kernel.name}: {row.state}: {row.note}")
        else:
            calls[kernel.name] = call
    return calls, tuple(faults)
