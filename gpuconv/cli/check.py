"""gpuconv check."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from .. import battery, registry
from .. import device as devices
from ..cuda import Source
from ..cuda.compile import compile_cubin, nvrtc, resources
from ..cuda.occupancy import ARCHS
from ..emulator import EmulatorError
from ..errors import DataError, DeviceError, GpuconvError, KernelError
from ..limits import current_limits
from ..registry import Kernel, Op
from ._app import app, out

SHOWN = 5  # faults of one kernel


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a Python file that registers kernels")],
) -> None:
    """Prove a kernel of yours without a GPU.

    Imports FILE, and runs every kernel that it registers through the battery: all cases of its op
    in float32 and float64, against the float64 reference. CUDA kernels run on the emulated GPU,
    every access watched, in three orders of their threads; then they are compiled for GPU
    architectures. Prints faults as a compiler does, FILE:LINE: MESSAGE, and exits with 1.
    """
    module, kernels = _load(file)
    faults = sum(_prove(file, op, kernel) for op, kernel in kernels)
    faults += sum(
        _compile(source) for source in vars(module).values() if isinstance(source, Source)
    )
    if faults:
        out.print(f"{faults} faults")
        raise typer.Exit(1)
    out.print("no faults")


def _load(file: Path) -> tuple[ModuleType, list[tuple[Op, Kernel]]]:
    """The file as a module, and the kernels that it registered."""
    before = {id(k) for op in registry.ops().values() for k in op.kernels()}
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if file.suffix != ".py" or spec is None or spec.loader is None or not file.is_file():
        raise DataError(f"check: {file} is no Python file; give one that registers kernels")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except GpuconvError:
        raise
    except Exception as error:  # whatever a user's file may raise
        line = _line_of(error, file)
        raise DataError(f"{file}:{line}: {type(error).__name__}: {error}") from error
    made = [(op, k) for op in registry.ops().values() for k in op.kernels() if id(k) not in before]
    if not made:
        raise KernelError(f"check: {file} registers no kernel; decorate one with @op.kernel(...)")
    return module, made


def _line_of(error: BaseException, file: Path) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _prove(file: Path, op: Op, kernel: Kernel) -> int:
    """Run the battery where the kernel can run; the number of faults."""
    faults = 0
    for kind in kernel.devices:
        try:
            here = devices.get(kind)
        except DeviceError as error:
            out.print(f"{op.name}[{kernel.name}] on {kind}: not run ({error})")
            continue
        faults += _battery(file, op, kernel, here)
    return faults


def _battery(file: Path, op: Op, kernel: Kernel, here: devices.Device) -> int:
    passed, failed = 0, 0
    refused: set[str] = set()
    found: dict[object, str] = {}  # one fault for each place in the source
    for problem, optional in _cases(op):
        reason = kernel.objection(problem, here, current_limits())
        if reason is not None:
            refused.add(reason)
            continue
        try:
            battery.check(op, kernel, problem, here, optional=optional)
            passed += 1
            continue
        except EmulatorError as error:
            found.setdefault((type(error), error.file, error.line), str(error))
        except Exception as error:  # a kernel may raise anything; the check goes on
            text = f"{file}:{_line_of(error, file)}: {type(error).__name__}: {error}"
            found.setdefault(text, text)
        failed += 1
    for fault in list(found.values())[:SHOWN]:
        out.print(fault)
    orders = ", in three thread orders under checks" if here.kind == "emulated" else ""
    out.print(f"{op.name}[{kernel.name}] on {here}: {passed} cases passed, {failed} failed{orders}")
    for reason in sorted(refused):
        out.print(f"  refuses: {reason}")
    return failed


def _cases(op: Op) -> Iterator[tuple[registry.Problem, bool]]:
    for problem in battery.cases(op):
        for optional in battery.variants(op):
            yield problem, optional


def _compile(source: Source) -> int:
    """Compile what the battery launched for every architecture; the number of faults."""
    if nvrtc()[0] is None:
        out.print(f"{source.path.name}: not compiled for GPUs ({nvrtc()[1]})")
        return 0
    faults = 0
    for function in source.functions:
        for arch in ARCHS:
            try:
                _, log = compile_cubin(source, function.macros, arch)
            except KernelError as error:
                out.print(str(error))
                faults += 1
                continue
            used = resources(log)[function.entry]
            out.print(
                f"{source.path.name}: {function.entry} {function.macros} for {arch}: "
                f"{used['registers']} registers, {used['spill_bytes']} bytes spilled"
            )
    return faults
