"""Runs a kernel through the battery and the compilers, and prints its faults as a compiler does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import battery
from .. import device as devices
from ..cuda import Source
from ..cuda.compile import compile_cubin, nvrtc, resources
from ..cuda.occupancy import ARCHS
from ..emulator import EmulatorError
from ..errors import CompileError, DeviceError, KernelError
from ..limits import current_limits
from ..problem import Problem
from ..registry import Kernel, Op
from ._app import out

SHOWN = 5  # faults of one kernel


@dataclass(frozen=True)
class Subject:
    """A kernel to prove; the place is named for faults that have none of their own.

    ``variants``: whether optional arrays are given; default: both ways where the op has any.
    """

    op: Op
    kernel: Kernel
    file: Path
    line: int
    variants: Sequence[bool] | None = None

    def cases(self) -> Iterator[tuple[Problem, bool]]:
        """Every case, with the optional arrays and without."""
        given = battery.variants(self.op) if self.variants is None else self.variants
        return ((problem, optional) for problem in battery.cases(self.op) for optional in given)


def line_of(error: BaseException, file: Path) -> int:
    """The innermost line of ``file`` that an error came through; 0 where none is."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def prove(subject: Subject) -> int:
    """Run the battery where the kernel can run; the number of faults, 1 if it can run nowhere."""
    faults: list[int] = []
    for kind in subject.kernel.devices:
        try:
            here = devices.get(kind)
        except DeviceError as error:
            out.print(f"{subject.op.name}[{subject.kernel.name}] on {kind}: not run ({error})")
            continue
        faults.append(_battery(subject, here))
    if not faults:
        out.print(f"{subject.file}:{subject.line}: nothing is proven: there is no device to run on")
    return sum(faults) if faults else 1


def _battery(subject: Subject, here: devices.Device) -> int:
    op, kernel = subject.op, subject.kernel
    passed, failed = 0, 0
    refused: set[str] = set()
    found: dict[object, str] = {}  # one fault for each place in the source
    for problem, optional in subject.cases():
        reason = kernel.objection(problem, here, current_limits())
        if reason is not None:
            refused.add(reason)
            continue
        try:
            battery.check(op, kernel, problem, here, optional=optional)
            passed += 1
        except Exception as error:  # a kernel may raise anything; the check goes on
            found.setdefault(*_fault(subject, error))
            failed += 1
    for fault in list(found.values())[:SHOWN]:
        out.print(fault)
    orders = ", in three thread orders under checks" if here.kind == "emulated" else ""
    out.print(f"{op.name}[{kernel.name}] on {here}: {passed} cases passed, {failed} failed{orders}")
    for reason in sorted(refused):
        out.print(f"  refuses: {reason}")
    if not passed + failed:
        out.print(f"{subject.file}:{subject.line}: no case was run: the kernel refuses them all")
    return failed if passed + failed else 1


def _fault(subject: Subject, error: Exception) -> tuple[object, str]:
    """What tells a fault from others, and how it reads."""
    if isinstance(error, EmulatorError):
        return (type(error), error.file, error.line), str(error)
    if isinstance(error, CompileError) and error.line is not None:
        return (CompileError, error.file, error.line), str(error).splitlines()[0]
    line = line_of(error, subject.file) or subject.line
    text = f"{subject.file}:{line}: {type(error).__name__}: {error}"
    return text, text


def compile_all(source: Source) -> int:
    """Compile what the battery launched for every architecture; the number of faults."""
    if nvrtc()[0] is None:
        out.print(f"{source.path.name}: not compiled for GPUs ({nvrtc()[1]})")
        return 0
    faults = 0
    told: set[str] = set()  # the compiler's words, which are the same for every architecture
    for function in source.functions:
        for arch in ARCHS:
            try:
                _, log = compile_cubin(source, function.macros, arch)
            except KernelError as error:
                faults += 1
                words = str(error).partition("\n")[2]
                if words not in told:
                    out.print(str(error))
                told.add(words)
                continue
            used = resources(log)[function.entry]
            out.print(
                f"{source.path.name}: {function.entry} {function.macros} for {arch}: "
                f"{used['registers']} registers, {used['spill_bytes']} bytes spilled"
            )
    return faults
