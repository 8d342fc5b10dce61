"""Kernels and peers on one case: checked first, then timed in turn."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from gpuconv import battery, formats, registry
from gpuconv import device as devices
from gpuconv.cpu import keeping
from gpuconv.device import Device
from gpuconv.errors import GpuconvError
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import Kernel, Op

from . import figures
from .cases import Case
from .cpu_vs_peers.ceilings import Ceilings
from .figures import Row
from .measure import Rival, Rivals, interleaved, on
from .values import Truth, truth, values

PEERS_ERROR = 1e3  # eps * scale: a peer beyond that computes something else


class Refused(Exception):
    """What a contestant says instead of computing: the state and the reason."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state


class Contestant(Protocol):
    """A kernel or a peer, ready to be asked for a case's results and then for its time."""

    is_peer: bool

    @property
    def name(self) -> str:
        """As tables have it."""
        ...

    @property
    def allowed(self) -> float:
        """The error that is no fault, in eps * scale."""
        ...

    def prepare(self, case: Case, arrays: list[np.ndarray]) -> tuple[list[Any], Rival, int | None]:
        """Outs of one run (None: not given), a call to time, bytes of workspace; or Refused."""
        ...


@dataclass(frozen=True)
class OwnKernel:
    """One of the registry's kernels, on values in this format.

    ``keeps``: it may keep its form of the weights from call to call, as in an ``InferenceStep``.
    """

    kernel: Kernel
    format: str
    device: Device
    keeps: bool = False
    is_peer = False

    @property
    def name(self) -> str:
        """The kernel's full name, and the format where it is not NCHW."""
        return self.kernel.name + ("" if self.format == formats.NCHW else f" {self.format}")

    @property
    def allowed(self) -> float:
        """The error that the kernel declares, in eps * scale."""
        return self.kernel.error

    def problem(self, case: Case) -> Problem:
        """The case's problem in this format."""
        return case.problem.in_format(self.format)

    def prepare(self, case: Case, arrays: list[np.ndarray]) -> tuple[list[Any], Rival, int | None]:
        """Run it once as the battery does; the call runs it on arrays of its own."""
        op, problem = registry.get_op(case.op), self.problem(case)
        reason = self.kernel.objection(problem, self.device, current_limits())
        if reason is not None:
            raise Refused(figures.REFUSED, reason)
        given = battery.formatted(op, problem, arrays)
        outs = battery.outs_of(op, self.kernel, problem, self.device, given)
        names = [name.rstrip("?") for name in op.outs]
        plain = [
            None if out is None else battery.plain_of(self.name, problem, name, out)
            for name, out in zip(names, outs, strict=True)
        ]
        size = self.kernel.workspace(problem, self.device)
        return plain, bound(op, self.kernel, problem, self.device, given, self.keeps), size


def bound(
    op: Op, kernel: Kernel, problem: Problem, device: Device, arrays: list, keeps: bool = False
) -> Rival:
    """A call of the kernel alone: arrays and workspace are there before."""
    placed = [None if a is None else devices.to_device(a.copy(), device) for a in arrays]
    updates = dict(zip(op.updates, placed[len(op.ins) :], strict=True))
    outs = tuple(
        updates[n] if n in updates else devices.empty(*problem.spec(n.rstrip("?")), device)
        for n in op.outs
    )
    size = kernel.workspace(problem, device)
    work = devices.empty((size,), "uint8", device) if size else None
    ins = tuple(placed[: len(op.ins)])
    call = partial(kernel.run, outs, ins, problem, work)
    return on(device, _keeping(call, keeping.Store(ins)) if keeps else call)


def _keeping(call: Callable[[], Any], store: keeping.Store) -> Callable[[], Any]:
    def call_kept() -> None:
        with keeping.kept(store):
            call()

    return call_kept


def kernels(case: Case, device: Device, wanted: Iterable[str] = ()) -> Iterator[OwnKernel]:
    """The op's kernels on the device, those named first to last; in both formats where it has two.

    ``wanted``: full names, algorithms or backends; default all.
    """
    names = set(wanted)
    for kernel in registry.get_op(case.op).kernels():
        if device.kind not in kernel.devices:
            continue
        if names and not names & {kernel.name, kernel.algorithm, kernel.backend}:
            continue
        yield OwnKernel(kernel, formats.NCHW, device)
        if formats.BLOCKED in kernel.formats and case.problem.formatted:
            yield OwnKernel(kernel, formats.native(), device)


def rows(
    case: Case,
    contestants: Iterable[Contestant],
    roof: Ceilings,
    device: Device,
    *,
    seconds: float,
    rounds: int,
) -> list[Row]:
    """A row for each contestant; those that are right are timed in turn."""
    op = registry.get_op(case.op)
    arrays = values(op, case.problem)
    right = truth(op, case.problem, arrays)
    chosen = registry.find(op, case.problem, device)
    found: list[Row] = []
    calls: dict[str, Rival] = {}
    with np.errstate(all="ignore"):  # NaN and infinity flow, as in ops
        for one in contestants:
            row, call = check(case, one, arrays, right)
            found.append(replace(row, is_chosen=chosen is not None and chosen.name == one.name))
            if call is not None:
                calls[one.name] = call
        rivals = interleaved(calls, seconds=seconds, rounds=rounds) if calls else Rivals({})
    return [_timed(row, rivals, _baseline(found), roof) for row in found]


def check(
    case: Case, one: Contestant, arrays: list[np.ndarray], right: Truth
) -> tuple[Row, Rival | None]:
    """The contestant's row without its time, and what to time where it is right."""
    op = registry.get_op(case.op)
    row = Row(
        case.name, case.op, str(case.problem), figures.batch_of(case.problem), one.name,
        one.is_peer, figures.MEASURED, flops=op.flops(case.problem), bytes=op.bytes(case.problem),
        allowed=one.allowed,
    )  # fmt: skip
    try:
        outs, call, size = one.prepare(case, arrays)
        error = _worst(case, one, outs, right)
    except Refused as refused:
        return replace(row, state=refused.state, note=str(refused)), None
    except battery.BatteryError as fault:
        return replace(row, state=figures.WRONG, note=_line(fault)), None
    except Exception as fault:  # a kernel of a user's may raise anything; the others go on
        kind = "" if isinstance(fault, GpuconvError) else f"{type(fault).__name__}: "
        return replace(row, state=figures.FAILED, note=kind + _line(fault)), None
    return replace(row, workspace=size, error=error), call


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _worst(case: Case, one: Contestant, outs: list[Any], right: Truth) -> float:
    """The worst error in eps * scale; raises BatteryError above what is allowed."""
    op, worst = registry.get_op(case.op), 0.0
    scales = right.scales
    if isinstance(one, OwnKernel):
        scales = battery.bounds_of(one.kernel, scales)
    for name, got, want, scale in zip(op.outs, outs, right.outs, scales, strict=False):
        if got is not None and want is not None:
            error = battery.compare(name, got, want, scale, one.allowed, case.problem)
            worst = max(worst, error)
    return worst


def _baseline(found: list[Row]) -> str | None:
    """Whom all are compared with: the kernel that is chosen, else our first that is right."""
    ours = [row for row in found if row.state == figures.MEASURED and not row.is_peer]
    ours.sort(key=lambda row: not row.is_chosen)
    return ours[0].name if ours else None


def _timed(row: Row, rivals: Rivals, baseline: str | None, roof: Ceilings) -> Row:
    if row.name not in rivals.samples:
        return row
    timing = rivals.timing(row.name)
    return replace(
        row,
        timing=timing,
        ratio=rivals.ratio(row.name, baseline) if baseline else None,
        roofline=figures.share(row.flops, row.bytes, timing.median, roof),
    )
