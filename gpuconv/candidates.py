"""Every kernel of an op on a device beside the one that is chosen, and why it is or is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from . import plans
from .device import Device
from .errors import KernelError
from .limits import Limits, current_limits
from .problem import Problem
from .registry import EXACT, Kernel, Op, choose

CLOSE = 1.005  # a ratio that reads as 1.00


@dataclass(frozen=True)
class Candidate:
    """A kernel for a problem; ``reason`` says why it is or is not ``chosen``.

    ``predicted``: seconds by its cost, None where it refuses or predicts nothing. ``measured``:
    seconds, where somebody has measured them. ``workspace``: bytes. ``error``: relative to the
    op's scale, at most; 0 where the op is exact.
    """

    kernel: Kernel
    chosen: bool
    refused: bool
    reason: str
    error: float
    predicted: float | None = None
    measured: float | None = None
    workspace: int | None = None

    @property
    def name(self) -> str:
        """The kernel's full name."""
        return self.kernel.name

    @property
    def seconds(self) -> float | None:
        """Measured if anybody has, else predicted."""
        return self.predicted if self.measured is None else self.measured


def candidates(
    op: Op,
    problem: Problem,
    device: Device,
    algorithm: str | None = None,
) -> list[Candidate]:
    """The op's kernels on the device: the chosen one, then by expected time, then who refuses.

    ``algorithm`` as in ``choose``; the limits and the plan in force hold. Where no kernel takes the
    problem, none is chosen. Raises KernelError for an algorithm that is not there.
    """
    here = [kernel for kernel in op.kernels() if device.kind in kernel.devices]
    asked = algorithm or current_limits().plan.get(op.name)
    limits = current_limits()
    entry = (limits.measured or plans.usual()).entry(op.name, problem, device) or plans.Entry("")
    refusals = {k.name: k.objection(problem, device, limits) for k in here}
    try:
        chosen = choose(op, problem, device, algorithm)
    except KernelError:
        if not _named(here, asked):
            raise  # the name is wrong, whatever the problem
        chosen = None
    found = [
        _candidate(op, kernel, chosen, refusals[kernel.name], problem, device, entry.seconds)
        for kernel in here
    ]
    told = [_told(one, found, asked, entry.kernel) for one in found]
    return sorted(told, key=lambda one: _order(one, here))


def relaxed(op: Op, problem: Problem, device: Device) -> Iterator[str]:
    """A line for each limit in force without which some kernel would take the problem."""
    limits, free = current_limits(), Limits(deterministic=False)
    here = [kernel for kernel in op.kernels() if device.kind in kernel.devices]
    for name in ("max_workspace", "max_error", "deterministic"):
        value, loose = getattr(limits, name), getattr(free, name)
        if value == loose:
            continue
        less = replace(limits, **{name: loose})
        able = [k.name for k in here if k.objection(problem, device, less) is None]
        if able:
            yield f"without {name}={value}: {', '.join(able)}"


def _named(kernels: list[Kernel], asked: str | None) -> list[Kernel]:
    return [k for k in kernels if asked in (None, k.name, k.algorithm, k.backend)]


def _candidate(
    op: Op,
    kernel: Kernel,
    chosen: Kernel | None,
    refusal: str | None,
    problem: Problem,
    device: Device,
    measured: Mapping[str, float],
) -> Candidate:
    error = 0.0 if op.scale == EXACT else kernel.error * problem.eps
    if refusal is not None:
        return Candidate(kernel, False, True, refusal, error)
    cost, size = kernel.cost(problem, device), kernel.workspace(problem, device)
    mine = chosen is not None and kernel.name == chosen.name
    return Candidate(kernel, mine, False, "", error, cost, measured.get(kernel.name), size)


def _told(one: Candidate, found: list[Candidate], asked: str | None, planned: str) -> Candidate:
    """The same with its reason, which a refusal has already."""
    if one.refused:
        return one
    able = [other for other in found if not other.refused]
    reason = _why(one, able, asked, planned) if one.chosen else _why_not(one, able, asked)
    return replace(one, reason=reason)


def _why(one: Candidate, able: list[Candidate], asked: str | None, planned: str) -> str:
    if asked is not None and len(_named([one.kernel], asked)):
        return f"asked for as {asked!r}"
    if len(able) == 1:
        return "the only one that takes it"
    if one.name == planned:
        return _why_planned(one, able)
    if one.predicted is None:
        return f"the first by rank ({one.kernel.rank}); none predicts its time"
    return "the lowest predicted time"


def _why_planned(one: Candidate, able: list[Candidate]) -> str:
    if one.measured is None:
        return "the plan names it"
    others = [other.measured for other in able if other.measured is not None]
    if min(others) < one.measured:
        return "the plan's: nothing is faster beyond the noise"
    return "the fastest that was measured"


def _why_not(one: Candidate, able: list[Candidate], asked: str | None) -> str:
    chosen = next((other for other in able if other.chosen), None)
    if asked is not None and not _named([one.kernel], asked):
        return f"{asked!r} was asked for"
    if chosen is None:
        return "not chosen"
    if one.measured is not None and chosen.measured is not None:
        return _times(one.measured, chosen.measured, "measured", chosen)
    if one.predicted is not None and chosen.predicted is not None:
        return _times(one.predicted, chosen.predicted, "predicted", chosen)
    if one.predicted is None and chosen.predicted is not None:
        return "predicts no time, and so comes after those that do"
    return f"comes later by rank ({one.kernel.rank}, {chosen.name} has {chosen.kernel.rank})"


def _times(mine: float, best: float, kind: str, chosen: Candidate) -> str:
    ratio = mine / best if best else CLOSE
    if 1 / CLOSE < ratio < CLOSE:
        return f"{kind} as fast as {chosen.name}, which comes first by rank or name"
    return f"{kind}: {ratio:.2f} times as long"


def _order(one: Candidate, kernels: list[Kernel]) -> tuple:
    seconds = one.seconds
    rank = kernels.index(one.kernel)
    return (not one.chosen, one.refused, seconds is None, seconds or 0.0, rank)
