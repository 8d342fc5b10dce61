"""What is known of GPU kernels without a GPU: no times, and never to stand beside them.

``static_rows`` gives a row for every launch of every CUDA C++ kernel on a case: what the compiled
entry needs on each architecture (benchmarks/static.json), and what the emulated GPU counted in some
of the launch's blocks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

import numpy as np

from gpuconv import emulator, registry
from gpuconv.cuda.occupancy import MULTIPROCESSORS, WARP, blocks_per_sm
from gpuconv.cuda.recording import Launch, recording
from gpuconv.device import EMULATED, to_device
from gpuconv.emulator import Statistics
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import Kernel, Op

from . import static
from .cases import Case
from .figures import REFUSED, STATIC

ALIGNED = 256  # bytes: where a GPU's allocations begin
UNKNOWN = "benchmarks/static.json has no such build"
MOST_BLOCKS = 8  # of a launch that are counted, spread over its grid
MOST_FLOPS = 4e6  # operations of a launch that are counted, but at least one block's


@dataclass(frozen=True)
class Needs:
    """What an entry takes of a multiprocessor; ``occupancy`` is the share of its warps in use."""

    registers: int
    spilled: int  # bytes of a thread
    shared: int  # bytes of a block, dynamic ones included
    blocks: int  # that a multiprocessor holds at a time
    occupancy: float


@dataclass(frozen=True)
class Counts:
    """What a warp's accesses cost in ``blocks`` of the launch; 1 request is one of a warp's.

    ``sectors`` are 32 bytes of global memory, ``passes`` are turns over the 32 banks of shared
    memory; ``ideal_...`` the fewest for the bytes asked for. More passes are bank conflicts.
    """

    blocks: int
    barriers: int
    global_requests: int
    sectors: int
    ideal_sectors: int
    shared_requests: int
    passes: int
    ideal_passes: int

    @property
    def sectors_per_request(self) -> float | None:
        """Of global memory; 4 is a warp's 32 neighbouring floats. None without requests."""
        return self.sectors / self.global_requests if self.global_requests else None

    @property
    def passes_per_request(self) -> float | None:
        """Of shared memory; 1 of 4-byte words is free of bank conflicts. None without requests."""
        return self.passes / self.shared_requests if self.shared_requests else None


@dataclass(frozen=True)
class StaticRow:
    """One launch of a kernel on a case of one image; ``state`` is "static", or "refuses".

    ``needs`` by architecture, empty where the table has no such build. ``counts`` is None where
    nothing was emulated; ``note`` says why.
    """

    case: str
    op: str
    problem: str
    kernel: str
    state: str = STATIC
    note: str = ""
    entry: str = ""
    number: int = 0  # of the launch within the kernel
    blocks: int = 0
    threads: int = 0  # of a block
    needs: dict[str, Needs] | None = None
    counts: Counts | None = None


def static_rows(
    cases: Iterable[Case], algorithms: Iterable[str] = (), *, emulate: bool = True
) -> Iterator[StaticRow]:
    """A row for each launch of each CUDA C++ kernel on each case, with one image in the batch.

    ``algorithms``: full names, algorithms or backends; default all. ``emulate`` needs a C++
    compiler and some tenths of a second a row; without either, only what compiled code needs.
    """
    usable, reason = emulator.available() if emulate else (False, "")
    note = "" if usable else reason
    names, stored = set(algorithms), static.stored()
    for case in cases:
        op, problem = registry.get_op(case.op), of_one_image(case.problem)
        for kernel in sorted(op.kernels(), key=lambda kernel: -kernel.rank):
            known = {kernel.name, kernel.algorithm, kernel.backend}
            if kernel.backend == "cuda" and (not names or names & known):
                start = StaticRow(case.name, case.op, str(problem), kernel.name, note=note)
                yield from _of_kernel(start, op, kernel, problem, stored, usable)


def of_one_image(problem: Problem) -> Problem:
    """The problem with a batch of one, in NCHW: blocks of more images are the same again."""
    one: dict[str, Any] = {}
    for f in fields(problem):
        if f.name == "n":
            one[f.name] = min(1, getattr(problem, f.name))
        if f.name == "shape" and getattr(problem, f.name):
            one[f.name] = (min(1, problem.shape[0]), *problem.shape[1:])  # type: ignore[attr-defined]
    return replace(problem.plain, **one)


def _of_kernel(
    start: StaticRow, op: Op, kernel: Kernel, problem: Problem, stored: dict[str, Any], usable: bool
) -> Iterator[StaticRow]:
    reason = kernel.objection(problem, EMULATED, current_limits())
    if reason is not None:
        yield replace(start, state=REFUSED, note=reason)
        return
    made = launches(op, kernel, problem)
    for number, launch in enumerate(made):
        needed = needs(launch, stored)
        yield replace(
            start,
            note=start.note if needed else f"{start.note} {UNKNOWN}".strip(),
            entry=launch.function.entry,
            number=number,
            blocks=prod(launch.grid),
            threads=prod(launch.block),
            needs=needed,
            counts=_counts(launch, op.flops(problem) / len(made)) if usable else None,
        )


def launches(op: Op, kernel: Kernel, problem: Problem) -> list[Launch]:
    """What the kernel would launch, on arrays of zeros."""
    made: dict[str, Any] = {
        name: _zeros(*problem.spec(name.rstrip("?"))) for name in (*op.outs, *op.ins)
    }
    size = kernel.workspace(problem, EMULATED)
    work = _zeros((size,), "uint8") if size else None
    outs, ins = (tuple(made[name] for name in names) for names in (op.outs, op.ins))
    with recording() as found:
        kernel.run(outs, ins, problem, work)
    return found


def _zeros(shape: tuple[int, ...], dtype: str) -> Any:
    """Zeros on the emulated GPU that begin where a GPU's would: sectors depend on it."""
    raw = np.zeros(prod(shape) * np.dtype(dtype).itemsize + ALIGNED, np.uint8)
    raw = to_device(raw, EMULATED)
    first = -raw.ctypes.data % ALIGNED
    return raw[first : first + raw.size - ALIGNED].view(dtype).reshape(shape)


def count(launch: Launch, blocks: list[int] | None = None) -> Statistics | None:
    """What the launch, or these of its blocks, did to memory; runs it."""
    source = launch.function.source
    module = emulator.Module(source.path, launch.function.macros, list(source.include), "check")
    function = module.function(launch.function.entry)
    return function(
        launch.grid, launch.block, launch.args, launch.shared_mem, blocks=blocks, statistics=True
    )


def _counts(launch: Launch, flops: float) -> Counts | None:
    blocks = sample(prod(launch.grid), flops)
    found = count(launch, blocks)
    if found is None:
        return None

    def total(space: str, figure: str) -> int:
        return sum(getattr(line, figure) for line in found.lines if line.space == space)

    figures = ("requests", "transactions", "ideal")
    sums = [total(space, figure) for space in ("global", "shared") for figure in figures]
    return Counts(len(blocks), found.barriers, *sums)


def sample(blocks: int, flops: float) -> list[int]:
    """Which of a grid's blocks are counted: a few, spread evenly; one where a block is long."""
    each = flops / max(1, blocks)
    wanted = min(MOST_BLOCKS, blocks, max(1, int(MOST_FLOPS / max(1.0, each))))
    return [(2 * k + 1) * blocks // (2 * wanted) for k in range(wanted)]


def needs(launch: Launch, stored: dict[str, Any]) -> dict[str, Needs]:
    """By architecture, from the table's row of the launched entry; empty where there is none."""
    function = launch.function
    build = static.Build(function.source.path, tuple(sorted(function.macros.items())))
    row = stored.get(f"{build.name} {function.entry}", {})
    return {
        arch: _needs(arch, row[arch], launch)
        for arch in MULTIPROCESSORS
        if isinstance(row.get(arch), list)
    }


def _needs(arch: str, figures: list[int], launch: Launch) -> Needs:
    registers, spilled, shared, _ = figures
    shared += launch.shared_mem
    threads = prod(launch.block)
    held = blocks_per_sm(arch, threads, registers, shared)
    warps = -(-threads // WARP)
    return Needs(registers, spilled, shared, held, held * warps / MULTIPROCESSORS[arch].warps)
