"""Which kernel each call of a net takes, what else there was, and why: ``gcv.explain``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from . import device as devices
from . import models, registry
from .candidates import Candidate, candidates, relaxed
from .cpu import rates as cpu_rates
from .cpu import simd
from .cuda import archs
from .cuda import rates as gpu_rates
from .cuda.occupancy import ARCHS
from .device import Device
from .errors import DeviceError, OptionError
from .formats import NCHW
from .layers import Layer
from .problem import Problem
from .shapes import Shape, integer
from .training.planned import Call, calls

CPU_WORDS = "of one core with {}"
GPU_WORDS = "round figures of an H100's size"


@dataclass(frozen=True)
class Ceiling:
    """Operations a second (2 per multiply-add) and bytes a second that times are predicted by."""

    flops: float
    bandwidth: float
    words: str

    def least(self, flops: float, moved: float) -> float:
        """Seconds that no kernel can beat. Williams et al. 2009, "Roofline", section 3."""
        return max(flops / self.flops, moved / self.bandwidth)


def ceiling(device: Device) -> Ceiling:
    """The ceiling of a device, from constants: the same in every process."""
    if device.kind == "cpu":
        core = cpu_rates.rates()
        return Ceiling(core.flops, core.bandwidth, CPU_WORDS.format(simd.level()))
    return Ceiling(gpu_rates.FLOPS["float32"], gpu_rates.BANDWIDTH, GPU_WORDS)


@dataclass(frozen=True)
class Line:
    """One op on one problem, the layers that ask for it in one of their passes, its candidates.

    ``hints``: where no kernel takes it, what would if one limit did not hold.
    """

    layers: tuple[str, ...]
    phase: str
    op: str
    problem: Problem
    candidates: tuple[Candidate, ...]
    flops: int
    bytes: int
    hints: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The first of the layers, and how many there are."""
        return self.layers[0] + (f" (x{len(self.layers)})" if len(self.layers) > 1 else "")

    @property
    def chosen(self) -> Candidate | None:
        """The kernel that is taken."""
        return next((one for one in self.candidates if one.chosen), None)

    @property
    def seconds(self) -> float | None:
        """Of all these layers together, with the chosen kernel: measured, else predicted."""
        each = self.chosen.seconds if self.chosen else None
        return None if each is None else each * len(self.layers)

    @property
    def brief(self) -> str:
        """The problem without what is at its default."""
        return brief(self.problem)


@dataclass(frozen=True)
class Explanation:
    """Every line of a pass, in order; ``print`` it, or take ``as_dict()``.

    ``layers``: by name, in the order of their first calls.
    """

    title: str
    device: Device
    ceiling: Ceiling
    lines: tuple[Line, ...]
    layers: tuple[str, ...]

    def share(self, line: Line, one: Candidate) -> float | None:
        """The share of the roofline that a candidate reaches."""
        if not one.seconds:
            return None
        return self.ceiling.least(line.flops, line.bytes) / one.seconds

    @property
    def seconds(self) -> float:
        """All lines together, but for those without a time."""
        return sum(line.seconds or 0.0 for line in self.lines)

    @property
    def workspace(self) -> int:
        """Bytes: the most that a chosen kernel asks for."""
        return max((line.chosen.workspace or 0 for line in self.lines if line.chosen), default=0)

    def by_op(self) -> dict[tuple[str, str], float]:
        """Seconds by pass and op."""
        found: dict[tuple[str, str], float] = {}
        for line in self.lines:
            key = line.phase, line.op
            found[key] = found.get(key, 0.0) + (line.seconds or 0.0)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: seconds and bytes."""
        return {
            "title": self.title,
            "device": self.device.kind,
            "arch": self.device.arch,
            "ceiling": vars(self.ceiling),
            "seconds": self.seconds,
            "workspace": self.workspace,
            "lines": [self._line(line) for line in self.lines],
        }

    def _line(self, line: Line) -> dict[str, Any]:
        return {
            "layers": list(line.layers),
            "pass": line.phase,
            "op": line.op,
            "problem": {f.name: getattr(line.problem, f.name) for f in fields(line.problem)},
            "flops": line.flops,
            "bytes": line.bytes,
            "hints": list(line.hints),
            "candidates": [self._candidate(line, one) for one in line.candidates],
        }

    def _candidate(self, line: Line, one: Candidate) -> dict[str, Any]:
        plain = {k: v for k, v in vars(one).items() if k != "kernel"}
        made = {"kernel": one.name, "deterministic": one.kernel.deterministic}
        return {**made, **plain, "roofline": self.share(line, one)}

    def __str__(self) -> str:
        return "\n".join(self._text())

    def _text(self) -> Iterator[str]:
        yield self.title
        for line in self.lines:
            yield f"{line.name} {line.phase}: {line.op} {line.brief}"
            for one in line.candidates:
                time = "" if one.seconds is None else f"{1e3 * one.seconds:.3g} ms, "
                yield f"  {'*' if one.chosen else ' '} {one.name}: {time}{one.reason}"
            yield from (f"    {hint}" for hint in line.hints)
        yield f"together {1e3 * self.seconds:.3g} ms, by ceilings {self.ceiling.words}"


def explain(
    net: Layer | str,
    *shapes: Shape,
    batch_size: int = 1,
    train: bool = False,
    device: str | Device = "auto",
    loss: Layer | None = None,
) -> Explanation:
    """Which kernel each call of a pass takes, which others there were, and why.

    ``net``: a net, or a model's name. ``shapes``: of its inputs, without the batch; default: the
    model's. ``train``: forward, loss and backward, without the update; else what ``InferenceStep``
    does. ``device``: "cpu", "cuda", "emulated", "auto", or an architecture such as "sm_90" of a GPU
    that need not be here. The limits and the plan in force hold. Nothing is computed. Raises
    OptionError, DeviceError or ShapeError.
    """
    title = net if isinstance(net, str) else type(net).__name__
    if isinstance(net, str):
        net = models.create(net)
    if not isinstance(net, Layer):
        raise OptionError(f"explain: expected a net or a model's name, got {net!r}")
    inputs = shapes or _input_of(net)
    count, here = integer(batch_size, "explain: batch_size", 1), named(device)
    batch = tuple((count, *shape) for shape in inputs)
    made = calls(net, *batch, train=train, device=here, loss=loss)
    what = "training step" if train else "inference"
    title = f"{title}, {what}, batch {count}, on {described(here)}"
    return explained(made, here, title)


def _input_of(net: Layer) -> tuple[Shape, ...]:
    shape = getattr(net, "input_shape", None)
    if shape is None:
        raise OptionError("explain: the net says no input_shape; give it, as (3, 224, 224)")
    return (shape,)


def explained(asked: Iterable[Call], device: Device, title: str) -> Explanation:
    """The candidates of these calls; equal ones of several layers are one line."""
    found: dict[Call, list[str]] = {}
    order: dict[str, None] = {}
    for call in asked:
        order[call.layer] = None
        found.setdefault(replace(call, layer=""), []).append(call.layer)
    lines = tuple(_line(tuple(who), call, device) for call, who in found.items())
    return Explanation(title, device, ceiling(device), lines, tuple(order))


def _line(layers: tuple[str, ...], call: Call, device: Device) -> Line:
    op, problem = registry.get_op(call.op), call.problem
    found = tuple(candidates(op, problem, device, call.algorithm))
    is_taken = any(one.chosen for one in found)
    hints = () if is_taken else tuple(relaxed(op, problem, device))
    size = op.flops(problem), op.bytes(problem)
    return Line(layers, call.phase, call.op, problem, found, *size, hints)


def named(name: str | Device) -> Device:
    """The device of that name, of a GPU architecture too; raises DeviceError."""
    if isinstance(name, Device):
        return name
    if name in ("emulated", "cpu", "auto"):
        return Device(name) if name == "emulated" else devices.get(name)
    arch = archs.name(name[3:]) if name[:3] == "sm_" and name[3:].isdigit() else name
    if arch in ARCHS:
        return Device("cuda", arch)
    if name == "cuda":
        return _gpu_here()
    near = get_close_matches(name, [*devices.NAMES, *ARCHS], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise DeviceError(
        f"explain: unknown device {name!r}; {meant}there are {', '.join(devices.NAMES)}, and of a "
        f"GPU that need not be here {', '.join(ARCHS)}"
    )


def _gpu_here() -> Device:
    try:
        return devices.get("cuda")
    except DeviceError as error:
        raise DeviceError(f"{error}; or name an architecture, as --device sm_90") from None


def described(device: Device) -> str:
    """A device in words."""
    return f"{device.kind} {device.arch}" if device.arch else str(device)


def brief(problem: Problem) -> str:
    """A problem's sizes and options, without those at their default."""
    kept = []
    for field in fields(problem):
        value = getattr(problem, field.name)
        is_common = field.name in ("dtype", "precision") and value in ("float32", "fp32")
        if value != field.default and not is_common and (field.name != "format" or value != NCHW):
            kept.append(f"{field.name}={value}".replace(" ", ""))
    return " ".join(kept)
