"""The battery: what every kernel must hold on every case, whatever its backend.

Outs arrive NaN-filled (except ``updates``; differently filled before the second run) and must be
fully written; bands around outs and workspace stay untouched; ins stay unchanged; the same bits
come twice; the error against the float64 reference is at most ``kernel.error * eps * scale``. In a
blocked format the reference sees the same values in NCHW, and idle lanes must come out as 0.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from . import emulator, formats
from .device import Device, to_device, to_numpy
from .errors import GpuconvError
from .problem import Problem
from .random import Stream
from .registry import EXACT, Kernel, Op

BAND = 64  # guard elements on either side
FILLS = (0xFF, 0x7F)  # bytes that outs and workspace hold before the first run and the second


class BatteryError(GpuconvError, AssertionError):
    """A kernel that failed the battery."""


@dataclass(frozen=True)
class Result:
    """Worst error of a kernel on a case, in units of eps * scale."""

    worst: float


def variants(op: Op) -> list[bool]:
    """Whether optional arrays are given: both ways where the op has any."""
    optional = any(n.endswith("?") for n in (*op.ins, *op.updates))
    return [True, False] if optional else [True]


def draw(op: Op, problem: Problem, seed: int = 0, optional: bool = True) -> list[Any]:
    """Test values for ins and updates, in the op's order; None for optional ones left out."""
    arrays: list[Any] = []
    for number, name in enumerate((*op.ins, *op.updates)):
        plain = name.rstrip("?")
        shape, dtype = problem.spec(plain)
        stream = Stream(seed, 0, number)
        if name.endswith("?") and not optional:
            arrays.append(None)
            continue
        values = op.draw(problem, plain, stream)
        values = stream.normal(shape) if values is None else np.asarray(values)
        arrays.append(values.astype(dtype).reshape(shape))
    return arrays


def expected(op: Op, problem: Problem, arrays: list[Any]) -> tuple:
    """The reference's outs in float64, always a tuple."""
    wide = [_wide(a) for a in arrays]
    return _tuple(op.reference(problem, *wide))


def scales(op: Op, problem: Problem, outs: tuple, arrays: list[Any]) -> tuple:
    """One magnitude per out that rounding errors are measured against."""
    wide = [_wide(a) for a in arrays]
    if not isinstance(op.scale, str):
        return _tuple(op.scale(problem, outs, *wide))
    if op.scale == EXACT:
        return tuple(0.0 for _ in outs)
    return _tuple(op.reference(problem, *[None if a is None else abs(a) for a in wide]))


def bounds_of(kernel: Kernel, scales: tuple) -> tuple:
    """The scales as the kernel declares them: an element's own, or the greatest of its plane."""
    if kernel.bound == "element":
        return scales
    return tuple(np.broadcast_to(s.max((-2, -1), keepdims=True), s.shape) for s in scales)


def check(
    op: Op, kernel: Kernel, problem: Problem, device: Device, *, optional: bool = True
) -> Result:
    """Run one kernel on one case; raises BatteryError saying what is wrong, and where."""
    arrays = draw(op, problem.plain, optional=optional)
    outs = expected(op, problem.plain, arrays)
    bounds = bounds_of(kernel, scales(op, problem.plain, outs, arrays))
    given = formatted(op, problem, arrays)
    runs = []
    for fill, way in _ways(device):
        with way:
            runs.append(outs_of(op, kernel, problem, device, given, fill))
    worst = 0.0
    for name, *results, want, scale in zip(op.outs, *runs, outs, bounds, strict=True):
        got = results[0]
        if got is None:
            continue
        where = f"{op.name}[{kernel.name}] {problem}: {name}"
        values = plain_of(where, problem, name.rstrip("?"), got)
        worst = max(worst, compare(where, values, want, scale, kernel.error, problem))
        if any(got.tobytes() != twin.tobytes() for twin in results):
            raise BatteryError(f"{where}: two runs gave different bits, or left some unwritten")
    return Result(worst)


def formatted(op: Op, problem: Problem, arrays: list[Any]) -> list[Any]:
    """The arrays as the problem's format has them."""
    if problem.format == formats.NCHW:
        return arrays
    names = (name.rstrip("?") for name in (*op.ins, *op.updates))
    return [
        formats.blocked(array, problem.format)
        if array is not None and problem.is_formatted(name)
        else array
        for name, array in zip(names, arrays, strict=True)
    ]


def plain_of(where: str, problem: Problem, name: str, got: np.ndarray) -> np.ndarray:
    """An out in NCHW; raises BatteryError unless its idle lanes are 0."""
    if problem.format == formats.NCHW or not problem.is_formatted(name):
        return got
    channels = problem.plain_shape(name)[1]
    every = formats.plain(got, got.shape[1] * got.shape[-1])
    if every[:, channels:].any():  # NaN counts as any
        raise BatteryError(f"{where}: lanes beyond channel {channels} are not 0")
    return every[:, :channels]


def _ways(device: Device) -> Iterator[tuple[int, AbstractContextManager]]:
    """What memory holds before a run, and how it runs; on the emulated GPU in three orders."""
    if device.kind != "emulated":
        yield from ((fill, nullcontext()) for fill in FILLS)
        return
    for fill, order in zip((*FILLS, FILLS[0]), emulator.ORDERS, strict=True):
        yield fill, emulator.options(mode="check", order=order, seed=fill)


def compare(
    where: str, got: np.ndarray, want: Any, scale: Any, allowed: float, problem: Problem
) -> float:
    """The worst error in units of eps * scale; raises BatteryError above ``allowed``.

    What is not exact may also underflow: the smallest normal number is added to its bound.
    """
    want = np.asarray(want)
    if got.shape != want.shape:
        raise BatteryError(f"{where} has shape {got.shape}, the reference {want.shape}")
    wide = got.astype(np.float64)
    same = (wide == want) | (np.isnan(wide) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(wide - want))
    magnitude = np.broadcast_to(np.asarray(scale, np.float64), want.shape)
    bound = allowed * problem.eps * magnitude + np.where(magnitude > 0, problem.tiny, 0.0)
    wrong = ~(same | ((error <= bound) & np.isfinite(error)))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BatteryError(
            f"{where}: {int(wrong.sum())} of {want.size} elements are wrong, first at {at}: "
            f"got {float(wide[at])}, expected {float(want[at])}, allowed error {bound[at]:.3g}"
        )
    ratio = np.divide(error, bound, out=np.zeros_like(error), where=bound > 0)
    return float(allowed * ratio.max(initial=0.0))


def outs_of(
    op: Op,
    kernel: Kernel,
    problem: Problem,
    device: Device,
    arrays: list[Any],
    fill: int = FILLS[0],
) -> list[np.ndarray | None]:
    """Run a kernel once; its outs on the CPU. ``arrays``: ins and updates as ``draw`` gives them.

    Raises BatteryError if it changed an input, or wrote beside an out or the workspace.
    """
    ins = [None if a is None else to_device(a.copy(), device) for a in arrays[: len(op.ins)]]
    updates = dict(zip(op.updates, arrays[len(op.ins) :], strict=True))
    banded = [
        Banded(problem.spec(n.rstrip("?")), device, updates.get(n), n in updates, fill)
        for n in op.outs
    ]
    work = Banded(((kernel.workspace(problem, device),), "uint8"), device, fill=fill)
    kernel.run(
        tuple(b.array for b in banded), tuple(ins), problem, work.array if work.array.size else None
    )
    where = f"{op.name}[{kernel.name}] {problem}"
    for name, given, after in zip(op.ins, arrays, ins, strict=False):
        if given is not None and given.tobytes() != to_numpy(after).tobytes():
            raise BatteryError(f"{where}: changed its input {name}")
    for name, b in zip((*op.outs, "work"), (*banded, work), strict=True):
        b.check(f"{where}: {name}")
    return [None if b.array is None else to_numpy(b.array) for b in banded]


class Banded:
    """An array between two guard bands, all bytes ``fill`` (0xFF: NaN, or -1) unless ``given``."""

    def __init__(
        self,
        spec: tuple,
        device: Device,
        given: Any = None,
        update: bool = False,
        fill: int = FILLS[0],
    ) -> None:
        (shape, dtype) = spec
        self.array: Any = None
        if update and given is None:
            return
        host = np.empty(prod(shape) + 2 * BAND, dtype)
        host.view(np.uint8).fill(fill)
        self._before = host.tobytes()
        if update:
            host[BAND:-BAND] = np.ravel(given)
        self._flat = to_device(host, device)
        self.array = self._flat[BAND:-BAND].reshape(shape)

    def check(self, where: str) -> None:
        """Raise BatteryError if a band was written to."""
        if self.array is None:
            return
        band = BAND * self._flat.itemsize
        after = to_numpy(self._flat).tobytes()
        for side, part in (("before", slice(None, band)), ("behind", slice(-band, None))):
            if after[part] != self._before[part]:
                raise BatteryError(f"{where}: wrote {side} the array")


def _wide(array: Any) -> Any:
    is_float = array is not None and array.dtype.kind == "f"
    return array.astype(np.float64) if is_float else array


def _tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def blocked_cases(op: Op, kernel: Kernel, format: str) -> Iterator[Problem]:
    """Every case of the op in this format, for a kernel that takes it."""
    if formats.family(format) not in kernel.formats:
        return
    for problem in op.cases():
        if problem.formatted and problem.format == formats.NCHW:
            yield replace(problem, format=format)


def cases(op: Op) -> Iterator[Problem]:
    """Every case of the op in float32 and float64."""
    for problem in op.cases():
        yield problem
        yield problem.astype("float64")
