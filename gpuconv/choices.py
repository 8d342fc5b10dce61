"""What the registry chose: the plan of a run is made from it."""

from collections.abc import Iterator
from contextlib import contextmanager

from . import plans, registry
from .device import Device
from .limits import Limits, current_limits, limits
from .plans import Entry
from .problem import Problem
from .registry import Kernel


def choices(held: Limits) -> Iterator[tuple[str, Problem, Device, Kernel]]:
    """The answers given under these very limits where nobody named a kernel, in order."""
    for (op, problem, device, algorithm, then), found in list(registry._CHOSEN.items()):
        if then == held and algorithm is None and isinstance(found, Kernel):
            yield op, problem, device, found


def chosen(held: Limits, device: Device) -> dict[str, Entry]:
    """The kernels that were taken on a device under these limits, as entries of a plan."""
    return {
        plans.key(op, problem): Entry(kernel.name)
        for op, problem, here, kernel in choices(held)
        if here.kind == device.kind
    }


@contextmanager
def apart() -> Iterator[Limits]:
    """The limits in force, told apart from all others: ``choices`` are then of this block alone."""
    plan = current_limits().measured or plans.usual()
    with limits(plan=plan.copy()) as held:
        yield held
