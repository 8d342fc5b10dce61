"""Op: a named computation with a float64 reference. Kernel: one way to compute it on a backend."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from threading import RLock
from typing import Any

import numpy as np

from . import formats, kernel_files, plans
from .cuda import archs as architectures
from .device import Device
from .errors import KernelError, OptionError
from .kernel_files import BACKENDS, import_kernels
from .limits import Limits, current_limits
from .problem import Problem
from .random import Stream

EXACT = "exact"  # scale: the result must equal the reference
LINEAR = "linear"  # scale: the reference run on absolute inputs

_LOADING = RLock()
_OPS: dict[str, "Op"] = {}


@dataclass(frozen=True)
class Kernel:
    """One way to compute an Op: ``run(outs, ins, problem, work)``.

    ``ops`` has validated, allocated and chosen; ``work`` is a uint8 workspace of ``workspace``
    bytes, or None. The error is at most ``error * eps * scale`` (``scale`` is the Op's); with
    ``bound="plane"`` the scale is its maximum over an element's last two axes, because what a
    transform rounds is spread over a tile. ``archs`` are the GPUs that it needs
    (gpuconv.cuda.archs): ("sm_80",) is that one or newer. ``records``: on the CPU, whatever ``run``
    writes it writes by tasks or ``cpu.host``, so that a recording need not call it again.
    ``variant_of``: the algorithm whose source this is too, with other macros (another tile).
    """

    op: str
    algorithm: str
    backend: str
    run: Callable[[tuple, tuple, Any, np.ndarray | None], None]
    rank: int = 50
    refuses: Callable[[Any, Device], str | None] = lambda problem, device: None
    workspace: Callable[[Any, Device], int] = lambda problem, device: 0
    cost: Callable[[Any, Device], float | None] = lambda problem, device: None
    error: float = 8.0
    bound: str = "element"
    archs: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("NCHW",)
    precisions: tuple[str, ...] = ("fp32", "fp64")
    deterministic: bool = True
    records: bool = False
    variant_of: str = ""

    @property
    def name(self) -> str:
        """Full name, ``backend:algorithm``."""
        return f"{self.backend}:{self.algorithm}"

    @property
    def devices(self) -> tuple[str, ...]:
        """The kinds of device that the backend serves."""
        return BACKENDS[self.backend]

    def objection(self, problem: Problem, device: Device, limits: Limits) -> str | None:
        """Why this kernel may not be taken for the problem, or None."""
        if device.kind not in self.devices:
            return f"runs on {', '.join(self.devices)}, not on {device}"
        lacking = architectures.lacks(self.archs, device.arch) if device.arch else None
        if lacking is not None:
            return f"{lacking}, this GPU is {device.arch}"
        if problem.precision not in self.precisions:
            return f"computes in {', '.join(self.precisions)}, not in {problem.precision}"
        if formats.family(problem.format) not in self.formats:
            return f"takes {', '.join(self.formats)}, not {problem.format}"
        reason = self.refuses(problem, device)
        if reason is not None:
            return reason
        return limits.objection(
            self.workspace(problem, device), self.error * problem.eps, self.deterministic
        )


@dataclass(eq=False)
class Op:
    """A named computation declared as data.

    ``ins``, ``outs``: array names in order ("bias?" may be None). ``updates``: the outs that
    arrive filled and change in place. ``reference(problem, *ins, *updates)`` returns the outs in
    float64 from plain loops. ``scale``: EXACT, LINEAR or a function
    ``(problem, outs, *ins, *updates)`` giving one magnitude per out (0 = exact).
    ``draw(problem, name, stream)`` gives a test input, or None for normal values. ``pointwise``: an
    out's element depends on the same element of every in alone, and is 0 where those are, so that
    the format does not matter.
    """

    name: str
    problem: type[Problem]
    ins: tuple[str, ...]
    outs: tuple[str, ...]
    reference: Callable[..., Any]
    cases: Callable[[], Iterable[Problem]]
    scale: str | Callable[..., Any] = EXACT
    flops: Callable[[Any], int] = lambda problem: 0
    updates: tuple[str, ...] = ()
    pointwise: bool = False
    draw: Callable[[Any, str, Stream], np.ndarray | None] = lambda problem, name, stream: None
    _kernels: list[Kernel] = field(default_factory=list, repr=False)
    _loaded: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if _OPS.setdefault(self.name, self) is not self:
            raise OptionError(f"an op named {self.name!r} is registered already")

    @property
    def family(self) -> str:
        """The package that holds the op and its kernels."""
        return self.reference.__module__.rpartition(".")[0]

    def bytes(self, problem: Problem) -> int:
        """Bytes that must be read and written at least: every in and every out once."""
        specs = [problem.spec(n.rstrip("?")) for n in (*self.ins, *self.outs)]
        return sum(prod(shape) * np.dtype(dtype).itemsize for shape, dtype in specs)

    def kernel(
        self, algorithm: str, *, backend: str, **declared: Any
    ) -> Callable[[Callable], Callable]:
        """Decorator that registers ``run(outs, ins, problem, work)`` as a kernel of this op."""
        if backend not in BACKENDS:
            raise OptionError(
                f"{self.name}: unknown backend {backend!r}; expected one of {', '.join(BACKENDS)}"
            )

        if reason := architectures.wrong(declared.get("archs", ())):
            raise OptionError(f"{self.name}: {backend}:{algorithm}: {reason}")

        def register(run: Callable) -> Callable:
            made = Kernel(self.name, algorithm, backend, run, **declared)
            kept = [k for k in self._kernels if k.name != made.name]
            self._kernels = sorted([*kept, made], key=lambda k: (k.rank, k.name))
            if self._loaded:  # else nothing was chosen yet
                _CHOSEN.clear()
                _LATER.append(made)
            return run

        return register

    def kernels(self) -> list[Kernel]:
        """Every registered kernel, lowest rank first; imports the family's modules once."""
        if not self._loaded:
            with _LOADING:  # a second thread waits for all kernels, and does not see only some
                import_kernels(self.family)
                self._loaded = True
        return list(self._kernels)


def ops() -> dict[str, Op]:
    """Every op by name; imports each family's declarations."""
    package = importlib.import_module("gpuconv.kernels")
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            importlib.import_module(f"gpuconv.kernels.{info.name}.op")
    return dict(sorted(_OPS.items()))


def get_op(name: str) -> Op:
    """The op of that name; raises KernelError listing what there is."""
    known = ops()
    if name not in known:
        raise KernelError(f"no op named {name!r}; registered: {', '.join(known)}")
    return known[name]


_LATER: list[Kernel] = []  # registered when a choice may have been made already


def registrations() -> int:
    """A number that changes when a kernel is registered that earlier choices did not know."""
    return len(_LATER)


_CHOSEN: dict[tuple, Kernel | str] = {}


def choose(op: Op, problem: Problem, device: Device, algorithm: str | None = None) -> Kernel:
    """The kernel for a problem: the named one, else the plan's, else the lowest cost, else rank.

    ``algorithm`` is "backend:algorithm", a bare algorithm name (the first of that name on the
    device) or a bare backend (the best of its kernels). Raises KernelError with every reason. The
    answer is kept per problem.
    """
    if algorithm is not None and not isinstance(algorithm, str):
        raise OptionError(f"{op.name}: algorithm must be a kernel's name, got {algorithm!r}")
    limits = current_limits()
    algorithm = algorithm or limits.plan.get(op.name)
    key = (op.name, problem, device, algorithm, limits)
    try:
        found = _CHOSEN[key]
    except KeyError:
        found = _CHOSEN[key] = _answer(op, problem, device, algorithm, limits)
    if isinstance(found, str):
        raise KernelError(found)
    return found


def find(op: Op, problem: Problem, device: Device, algorithm: str | None = None) -> Kernel | None:
    """What ``choose`` gives, or None where no kernel takes the problem."""
    try:
        return choose(op, problem, device, algorithm)
    except KernelError:
        return None


def _answer(*asked: Any) -> Kernel | str:
    try:
        return _choose(*asked)
    except KernelError as error:
        return str(error)


def _choose(
    op: Op, problem: Problem, device: Device, algorithm: str | None, limits: Limits
) -> Kernel:
    on_device = [k for k in op.kernels() if device.kind in k.devices]
    named = [k for k in on_device if algorithm in (None, k.name, k.algorithm, k.backend)]
    if not named:
        raise KernelError(_unknown(op, device, algorithm))
    objections = {k.name: k.objection(problem, device, limits) for k in on_device}
    willing = [k for k in named if objections[k.name] is None]
    if not willing:
        reasons = "; ".join(f"{k.name}: {objections[k.name]}" for k in named)
        others = [k.name for k in on_device if objections[k.name] is None]
        hint = f"; these would work: {', '.join(others)}" if others else ""
        raise KernelError(f"{op.name}: no kernel takes {problem}: {reasons}{hint}")
    plan = limits.measured or plans.usual()
    own = partial(_fault, op, problem, device)
    planned = None if algorithm else plan.kernel(op.name, problem, device, own)
    return min(willing, key=lambda k: (k.name != planned, *_order(k, problem, device)))


def _fault(op: Op, problem: Problem, device: Device, name: str) -> str | None:
    """Why a kernel is never taken for a problem, whatever the limits; None if it is."""
    found = next((k for k in op.kernels() if k.name == name), None)
    return found.objection(problem, device, Limits()) if found else "there is no such kernel here"


def _order(kernel: Kernel, problem: Problem, device: Device) -> tuple:
    cost = kernel.cost(problem, device)
    return (cost is None, cost or 0.0, kernel.rank, kernel.name)


def _unknown(op: Op, device: Device, algorithm: str | None) -> str:
    known = ", ".join(k.name for k in op.kernels()) or "none"
    wanted = "no kernel" if algorithm is None else f"no kernel named {algorithm!r}"
    missing = [
        f"{m} needs {p}" for m, p in kernel_files.MISSING.items() if m.startswith(op.family + ".")
    ]
    hint = f" (not loaded: {', '.join(missing)})" if missing else ""
    return f"{op.name}: {wanted} on {device}; registered: {known}{hint}"
