"""A whole benchmark: which cases, which contestants, and the rows as they come."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gpuconv import cpu, models, registry
from gpuconv.device import Device
from gpuconv.errors import KernelError, OptionError

from . import contest, guests
from .cases import Case, cases, known_shape, unknown
from .contest import Contestant
from .cpu_vs_peers.ceilings import Ceilings
from .cpu_vs_peers.machine import machine
from .figures import Row
from .static_rows import StaticRow

DEFAULT_SHAPES = "alexnet"


@dataclass(frozen=True)
class Wanted:
    """What the user asked for, checked: ops, shapes, kernels, peers."""

    ops: tuple[str, ...]
    shapes: tuple[str, ...]
    algorithms: tuple[str, ...]
    peers: tuple[str, ...]
    batches: tuple[int | None, ...] = (None,)
    seconds: float = 1.0
    rounds: int = 15

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
    what: list[str], shapes: list[str], algorithms: list[str], peers: list[str], **limits: Any
) -> Wanted:
    """Ops and models apart, every name checked before anything is timed.

    A model among ``what`` stands for its shapes. Raises OptionError or KernelError naming what is
    unknown and what there is.
    """
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
    return Wanted(tuple(ops), tuple(full), tuple(algorithms), tuple(peers), **limits)


def _check_algorithms(algorithms: list[str], ops: list[str]) -> None:
    kernels = [kernel for op in ops for kernel in registry.get_op(op).kernels()]
    known = {word for k in kernels for word in (k.name, k.algorithm, k.backend)}
    for name in algorithms:
        if name not in known:
            names = sorted({k.name for k in kernels})
            raise KernelError(unknown("kernel", name, names))


def rows(
    asked: Wanted, found: list[Case], roof: Ceilings, device: Device
) -> Iterator[tuple[Case, list[Row]]]:
    """The rows of each case as they come."""
    libraries = [name for name in asked.peers if name in guests.PACKAGES]
    with guests.guests(libraries, cpu.get_num_threads()) as present:
        for case in found:
            ours = contest.kernels(case, device, asked.algorithms)
            rivals: list[Contestant] = [*ours, *guests.invited(present, case.op)]
            seconds, rounds = asked.seconds, asked.rounds
            yield case, contest.rows(case, rivals, roof, device, seconds=seconds, rounds=rounds)


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
