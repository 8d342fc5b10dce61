"""A whole benchmark: which cases, which contestants, and the rows as they come.

``SUITES`` are what can be timed: kernels, layers, whole nets, cold starts, memory.
"""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gpuconv import cpu, models, registry
from gpuconv.device import Device
from gpuconv.errors import KernelError, OptionError

from . import cold_start, contest, guests, layer_suite, whole_nets
from .cases import Case, batch_for, cases, known_shape, unknown
from .contest import Contestant
from .cpu_vs_peers.ceilings import Ceilings
from .cpu_vs_peers.machine import machine
from .cpu_vs_peers.nets import Work
from .figures import Row
from .static_rows import StaticRow
from .whole_nets import Limits

DEFAULT_SHAPES = "alexnet"


@dataclass(frozen=True)
class Task:
    """What gives rows of another suite than that of kernels; ``run`` may give some at a time."""

    op: str
    name: str
    run: Callable[[Ceilings], Iterator[list[Row]]]


def _layers(net: str, batch: int, limits: Limits) -> Iterator[Task]:
    work = Work(net, batch, True)
    yield Task("layers of", net, lambda roof: layer_suite.rows(work, roof, limits))


def _nets(net: str, batch: int, limits: Limits) -> Iterator[Task]:
    for way, work in zip(whole_nets.WAYS, whole_nets.works(net, batch), strict=True):
        yield Task(way, net, _once(whole_nets.steps, work, limits))


def _memory(net: str, batch: int, limits: Limits) -> Iterator[Task]:
    for way, work in zip(whole_nets.WAYS, whole_nets.works(net, batch), strict=True):
        yield Task(f"memory of {way}", net, _once(whole_nets.memory, work, limits))


def _cold(net: str, batch: int, limits: Limits) -> Iterator[Task]:
    work = Work(net, batch, True)
    yield Task("cold start of", net, lambda _: iter([cold_start.rows(work, limits)]))


def _once(rows: Callable[..., list[Row]], work: Work, limits: Limits) -> Any:
    return lambda roof: iter([rows(work, roof, limits)])


KERNELS, ALL = "kernels", "all"
WHOLE: dict[str, Callable[[str, int, Limits], Iterator[Task]]] = {
    "layers": _layers, "nets": _nets, "cold": _cold, "memory": _memory,
}  # fmt: skip
SUITES = (KERNELS, *WHOLE)


@dataclass(frozen=True)
class Wanted:
    """What the user asked for, checked: ops, shapes, kernels, peers, suites."""

    ops: tuple[str, ...]
    shapes: tuple[str, ...]
    algorithms: tuple[str, ...]
    peers: tuple[str, ...]
    batches: tuple[int | None, ...] = (None,)
    seconds: float = 1.0
    rounds: int = 15
    suites: tuple[str, ...] = (KERNELS,)

    def everything(self) -> list[Case | Task]:
        """Cases of kernels and tasks of the other suites, in the order of SUITES."""
        found: list[Case | Task] = [*(self.cases() if KERNELS in self.suites else [])]
        limits = Limits(self.seconds, self.rounds, self.peers)
        for suite in self.suites:
            for net in self.nets() if suite in WHOLE else ():
                for batch in self.batches:
                    found += WHOLE[suite](net, batch or batch_for(net), limits)
        return found

    def check_device(self, device: Device) -> None:
        """Raise OptionError for a suite that is not on this device yet."""
        others = [name for name in self.suites if name != KERNELS]
        if device.kind != "cpu" and others:
            raise OptionError(
                f"bench: --suite {', '.join(others)} is timed on the CPU only, this is {device}; "
                "take --suite kernels, or --device cpu"
            )

    def nets(self) -> list[str]:
        """The models among the shapes; raises OptionError for what is none."""
        wrong = [*self.ops, *(s for s in self.shapes if s not in models.models())]
        if wrong and KERNELS not in self.suites:
            raise OptionError(
                f"bench: --suite {', '.join(self.suites)} takes models, not {', '.join(wrong)}; "
                f"there are {', '.join(models.models())}"
            )
        return [] if self.ops else [s for s in self.shapes if s in models.models()]

    def cases(self) -> list[Case]:
        """Every case once, in order; raises OptionError where there is none."""
        found: dict[tuple, Case] = {}
        for shape in self.shapes:
            for batch in self.batches:
                for case in cases(shape, self.ops, batch):
                    found.setdefault((case.op, case.problem), case)
        if not found:
            raise OptionError(
                f"bench: {', '.join(self.shapes)} has no {', '.join(self.ops)}; it has "
                f"{', '.join(dict.fromkeys(c.op for s in self.shapes for c in cases(s)))}"
            )
        return list(found.values())


def wanted(
    what: list[str],
    shapes: list[str],
    algorithms: list[str],
    peers: list[str],
    *,
    suites: Sequence[str] = (KERNELS,),
    **limits: Any,
) -> Wanted:
    """Ops and models apart, every name checked before anything is timed.

    A model among ``what`` stands for its shapes. Raises OptionError or KernelError naming what is
    unknown and what there is.
    """
    if not suites:
        raise OptionError(f"bench: --suite is empty; there are {', '.join((*SUITES, ALL))}")
    for name in suites:
        if name not in (*SUITES, ALL):
            raise OptionError(unknown("suite", name, (*SUITES, ALL)))
    known = registry.ops()
    ops = [name for name in what if name in known]
    nets = [name for name in what if name not in known]
    for name in nets:
        if name not in models.models():
            raise OptionError(unknown("op or model", name, [*known, *models.models()]))
    asked = [*shapes, *nets] or [DEFAULT_SHAPES]
    full = [s if "=" in s else known_shape(s) for s in asked]
    _check_algorithms(algorithms, ops or list(known))
    guests.known_peers(peers)
    if guests.NUMPY in peers and algorithms:
        algorithms = [*algorithms, guests.NUMPY]
    chosen = SUITES if ALL in suites else tuple(name for name in SUITES if name in suites)
    given = tuple(ops), tuple(full), tuple(algorithms), tuple(peers)
    return Wanted(*given, suites=chosen, **limits)


def _check_algorithms(algorithms: list[str], ops: list[str]) -> None:
    kernels = [kernel for op in ops for kernel in registry.get_op(op).kernels()]
    known = {word for k in kernels for word in (k.name, k.algorithm, k.backend)}
    for name in algorithms:
        if name not in known:
            names = sorted({k.name for k in kernels})
            raise KernelError(unknown("kernel", name, names))


def rows(
    asked: Wanted, found: Sequence[Case | Task], roof: Ceilings, device: Device
) -> Iterator[tuple[Case | Task, list[Row]]]:
    """The rows of each case as they come; a task may come several times, with some of its rows."""
    cases = [one for one in found if isinstance(one, Case)]
    libraries = [name for name in asked.peers if name in guests.PACKAGES and cases]
    with guests.guests(libraries, cpu.get_num_threads(), device) as present:
        for case in cases:
            ours = contest.kernels(case, device, asked.algorithms)
            rivals: list[Contestant] = [*ours, *guests.invited(present, case.op)]
            seconds, rounds = asked.seconds, asked.rounds
            yield case, contest.rows(case, rivals, roof, device, seconds=seconds, rounds=rounds)
    for task in found:
        if isinstance(task, Task):
            for some in task.run(roof):
                yield task, some


@dataclass
class Result:
    """The rows of a run that may have been interrupted, and what they belong to."""

    command: str
    device: str
    roof: Ceilings
    rows: list[Row] = field(default_factory=list)
    expected: int = 0  # cases
    done: int = 0
    environment: dict[str, Any] = field(default_factory=dict)
    static: list[StaticRow] = field(default_factory=list)  # of GPU kernels that were not timed


def environment(device: Device) -> dict[str, Any]:
    """Machine, versions, threads, device, and the time in UTC."""
    blas = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    return {
        **machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": str(device),
        "blas_threads": int(blas) if blas and blas.isdigit() else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "busy_cores": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }
