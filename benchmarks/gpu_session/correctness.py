"""Are the kernels right here? The battery; the same bits as the emulated GPU; instructions."""

from collections.abc import Iterator
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np

from gpuconv import battery, emulator, registry
from gpuconv.battery import BatteryError
from gpuconv.device import EMULATED
from gpuconv.errors import KernelError
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import Kernel, Op

from .instructions import conformance
from .items import Item, Session, Unavailable

Case = tuple[Problem, bool]


def kernels(session: Session) -> Iterator[tuple[Op, Kernel]]:
    """Every kernel that the device can run."""
    for op in registry.ops().values():
        for kernel in op.kernels():
            if session.device.kind in kernel.devices:
                yield op, kernel


def items(session: Session) -> Iterator[Item]:
    """A row for each kernel: the battery."""
    for op, kernel in kernels(session):
        key = f"{op.name} {kernel.name}"
        yield Item("battery", key, partial(through_battery, session, op, kernel))


def further(session: Session) -> Iterator[Item]:
    """Inline instructions; then a row for each kernel: against the emulated GPU."""
    yield Item("instructions", "inline PTX", partial(conformance, session.device))
    for op, kernel in kernels(session):
        key = f"{op.name} {kernel.name}"
        yield Item("against emulated", key, partial(against, session, op, kernel))


def cases(session: Session, op: Op, kernel: Kernel) -> list[Case]:
    """The cases that the kernel takes; in a rehearsal the first in each dtype."""
    limits = current_limits()
    every: Iterator[Case] = (
        (problem, given)
        for problem, given in product(battery.cases(op), battery.variants(op))
        if kernel.objection(problem, session.device, limits) is None
    )
    found = list(islice(every, 2) if session.rehearsal else every)
    if not found:
        raise Unavailable("the kernel takes none of the cases here")
    return found


def through_battery(session: Session, op: Op, kernel: Kernel) -> dict[str, Any]:
    """How many cases hold, and the worst error in eps * scale; raises where some do not."""
    taken = cases(session, op, kernel)
    worst, failed = 0.0, []
    for problem, given in taken:
        try:
            found = battery.check(op, kernel, problem, session.device, optional=given)
            worst = max(worst, found.worst)
        except BatteryError as error:
            failed.append(str(error))
    if failed:
        raise BatteryError(f"{len(failed)} of {len(taken)} cases: {failed[0]}")
    return {"cases": len(taken), "worst": worst, "allowed": kernel.error}


def against(session: Session, op: Op, kernel: Kernel) -> dict[str, Any]:
    """The same case here and on the emulated GPU: equal bits, or the difference in eps * scale."""
    if session.rehearsal:
        raise Unavailable("this is the emulated GPU")
    here, reason = emulator.available()
    if not here:
        raise Unavailable(reason)
    equal, worst = 0, 0.0
    taken = cases(session, op, kernel)
    for problem, given in taken:
        same, difference = _difference(session, op, kernel, problem, given)
        equal += same
        worst = max(worst, difference)
    if not worst <= 2 * kernel.error:  # NaN must fail; each of the two may be off by kernel.error
        raise KernelError(f"{op.name}[{kernel.name}]: {worst:.1f} eps * scale from the emulator")
    return {"cases": len(taken), "equal bits": equal, "worst": worst}


def _difference(
    session: Session, op: Op, kernel: Kernel, problem: Problem, given: bool
) -> tuple[bool, float]:
    arrays = battery.draw(op, problem, optional=given)
    real = battery.outs_of(op, kernel, problem, session.device, arrays)
    emulated = battery.outs_of(op, kernel, problem, EMULATED, arrays)
    scales = battery.scales(op, problem, battery.expected(op, problem, arrays), arrays)
    same, worst = True, 0.0
    for a, b, scale in zip(real, emulated, scales, strict=True):
        if a is None or b is None or a.tobytes() == b.tobytes():
            continue
        same = False
        gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
        bound = problem.eps * np.asarray(scale) + problem.tiny
        worst = max(worst, float(np.max(gap / bound, initial=0.0)))
    return same, worst
