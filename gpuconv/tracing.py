"""What a net would compute, without computing it: the calls of ops inside ``tracing()``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from . import registry
from .device import Device
from .errors import KernelError
from .formats import NCHW
from .limits import current_limits
from .problem import Problem
from .registry import Kernel


class Asked(NamedTuple):
    """One call: the op's name, its problem, and the algorithm that it named, or None."""

    op: str
    problem: Problem
    algorithm: str | None


Takes = Callable[[Asked], bool]


@dataclass
class Trace:
    """Every call so far, in order."""

    calls: list[Asked] = field(default_factory=list)

    def problems(self) -> list[tuple[str, Problem]]:
        """Each op and problem once, in the order of its first call."""
        return list(dict.fromkeys(asked[:2] for asked in self.calls))


class _Idle(dict):
    """In place of the choices made before: kernels that note that they were called."""

    def __init__(self, trace: Trace, takes: Takes) -> None:
        super().__init__()
        self.trace, self.takes = trace, takes

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: tuple) -> Kernel | str:
        asked = Asked(key[0], key[1], key[3])
        if not self.takes(asked):
            return self.setdefault(key, f"{asked.op}: not taken in this trace")

        def run(outs: tuple, ins: tuple, problem: Problem, work: Any) -> None:
            self.trace.calls.append(asked)

        return self.setdefault(key, Kernel(asked.op, "idle", "numpy", run))


@contextmanager
def tracing(takes: Takes = lambda asked: True) -> Iterator[Trace]:
    """Compute nothing inside, and note what would be.

    The values that ops return are whatever the memory held. ``takes`` says whether there is a
    kernel; where it says no, ``choose`` raises KernelError. It holds for every thread of the
    process.
    """
    trace, kept = Trace(), registry._CHOSEN
    registry._CHOSEN = _Idle(trace, takes)
    try:
        yield trace
    finally:
        registry._CHOSEN = kept


def takes_as(device: Device) -> Takes:
    """Whether a kernel takes the problem on that device; one in NCHW passes in any case."""

    def takes(asked: Asked) -> bool:
        if asked.problem.format == NCHW:
            return True
        if device.kind != "cpu":
            return False  # blocks of channels are the CPU's
        op = registry.get_op(asked.op)
        limits = current_limits()
        try:
            registry._choose(op, asked.problem, device, asked.algorithm, limits)
        except KernelError:
            return False
        return True

    return takes


class _Undone(dict):
    """In place of the choices made before: the kernels that would be chosen, doing nothing."""

    def __init__(self, works: bool) -> None:
        super().__init__()
        self.changes: dict[str, Any] = {"run": lambda outs, ins, problem, work: None}
        if not works:
            self.changes["workspace"] = lambda problem, device: 0

    def __missing__(self, key: tuple) -> Kernel | str:
        name, *asked = key
        found = registry._answer(registry.get_op(name), *asked)
        if isinstance(found, Kernel):
            found = replace(found, **self.changes)
        return self.setdefault(key, found)


@contextmanager
def undone(works: bool = True) -> Iterator[None]:
    """Inside, kernels are chosen as ever, and none computes anything.

    What is allocated is what a real pass allocates; without ``works`` no workspaces. It holds for
    every thread of the process.
    """
    kept = registry._CHOSEN
    registry._CHOSEN = _Undone(works)
    try:
        yield
    finally:
        registry._CHOSEN = kept
