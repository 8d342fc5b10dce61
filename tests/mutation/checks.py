"""Which cases of the battery, and which tests, run a mutated line."""

import functools
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpuconv import battery, emulator, registry
from gpuconv.cuda import Source
from gpuconv.cuda import launch as door
from gpuconv.device import EMULATED
from gpuconv.problem import Problem

from .code import KERNELS, ROOT, code
from .kinds import Mutant

TESTS = sorted((ROOT / "tests").glob("test_cuda_*.py"))
SOURCES = 4  # of those that include a header, a mutant of it is judged by so many
QUICK = 2  # seconds: mutants are not judged by tests that take longer
Entry = tuple[str, str]  # a .cu relative to the repository, and the name of a kernel in it


@dataclass(frozen=True)
class Check:
    """One case of the battery."""

    op: registry.Op
    kernel: registry.Kernel
    problem: Problem
    optional: bool

    def __call__(self) -> None:
        battery.check(self.op, self.kernel, self.problem, EMULATED, optional=self.optional)


@dataclass(frozen=True)
class Reach:
    """What every check and test launched, the cheapest checks first."""

    checks: dict[Check, frozenset[Entry]]
    tests: dict[str, frozenset[Entry]]

    def of(self, mutant: Mutant) -> tuple[list[Check], list[str]]:
        """The checks and tests that run what the mutant changes, in SOURCES at most."""
        hit = _in_few_sources(mutant, entries(mutant))
        return [c for c, seen in self.checks.items() if seen & hit], [
            t for t, seen in self.tests.items() if seen & hit
        ]


@functools.cache
def sources_with(file: str) -> tuple[Source, ...]:
    """Every ``.cu`` that is, or includes, the file."""
    found = [Source(path) for path in sorted(KERNELS.rglob("*.cu"))]
    headers = {s: {path.resolve() for path in s.headers.values()} for s in found}
    return tuple(s for s in found if ROOT / file in (s.path, *headers[s]))


@functools.cache
def _bodies(source: Source) -> dict[str, str]:
    """Head and code of every function, struct and macro that a source sees, by name."""
    found: dict[str, str] = {}
    for path in (source.path, *source.headers.values()):
        for part in code(path.read_text()):
            before = found.get(part.function, part.head)
            found[part.function] = f"{before} {part.text}"
    return found


def entries(mutant: Mutant) -> frozenset[Entry]:
    """The kernels that the mutated function is part of, directly or not."""
    sources = sources_with(mutant.file)
    every = {(_name(source), entry) for source in sources for entry in source.entries}
    hit = {
        (_name(source), entry)
        for source in sources
        for entry in _reached(source, mutant.function) & set(source.entries)
    }
    return frozenset(hit or every)


def _name(source: Source) -> str:
    return source.path.relative_to(ROOT).as_posix()


def _reached(source: Source, function: str) -> set[str]:
    """The functions that hold this one's name, or that of one that does."""
    bodies, reached, size = _bodies(source), {function}, 0
    while size < len(reached):
        size = len(reached)
        word = re.compile(rf"\b(?:{'|'.join(map(re.escape, reached))})\b")
        reached |= {name for name, text in bodies.items() if word.search(text)}
    return reached


def _in_few_sources(mutant: Mutant, found: frozenset[Entry]) -> frozenset[Entry]:
    files = sorted({file for file, _ in found})
    random.Random(f"{mutant.file} {mutant.function}").shuffle(files)
    return frozenset(entry for entry in found if entry[0] in files[:SOURCES])


def cases(family: str | None = None) -> Iterator[Check]:
    """Every case of every CUDA kernel (or those of one family), float32 and small ones first."""
    found = [
        Check(op, kernel, problem, optional)
        for op in registry.ops().values()
        for kernel in op.kernels()
        if kernel.backend == "cuda"
        for problem in battery.cases(op)
        for optional in battery.variants(op)
        if family is None or op.family.endswith(f".{family}")
        if kernel.objection(problem, EMULATED, registry.current_limits()) is None
    ]
    return iter(sorted(found, key=lambda c: (c.problem.dtype, c.op.flops(c.problem))))


def measure(family: str | None = None, tests: bool = True) -> Reach:
    """Run everything on the sources as they are; raises what a failing check raises."""
    _remember_references()
    seen = _record()
    checks, ran = {}, {}
    for check in cases(family):
        seen.clear()
        check()
        checks[check] = frozenset(seen)
    if tests:
        pytest.main([*QUIET, *map(str, TESTS)], plugins=[_Noted(seen, ran)])
    return Reach(checks, ran)


QUIET = ["-q", "-p", "no:cacheprovider", "--no-header", "--no-summary", f"--rootdir={ROOT}"]


def _remember_references() -> None:
    """Keep what the reference gives: no mutant changes it, and it takes longer than the kernel."""
    for op in registry.ops().values():
        op.reference = _remembered(op.reference)


def _remembered(reference):
    kept = {}

    @functools.wraps(reference)
    def answer(problem, *arrays):
        key = problem, *(None if a is None else (a.dtype.str, a.tobytes()) for a in arrays)
        if key not in kept:
            kept[key] = reference(problem, *arrays)
        return kept[key]

    return answer


def _record() -> set[Entry]:
    """A set to which every launch of a kernel of this repository is added from now on."""
    seen: set[Entry] = set()
    launched, found = door.Function.__call__, emulator.Module.function

    def note(path: Path, entry: str) -> None:
        if path.is_relative_to(ROOT):
            seen.add((path.relative_to(ROOT).as_posix(), entry))

    def launch(self, *args, **options):
        note(self.source.path.resolve(), self.entry)
        return launched(self, *args, **options)

    def function(self, name):
        note(Path(self._source.name), name)
        return found(self, name)

    door.Function.__call__, emulator.Module.function = launch, function
    return seen


class _Noted:
    """A pytest plugin: what each quick test launches that passes before anything is changed."""

    def __init__(self, seen: set[Entry], ran: dict[str, frozenset[Entry]]) -> None:
        self.seen, self.ran = seen, ran

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.seen.clear()
        self.began = time.process_time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        quick = time.process_time() - self.began < QUICK
        if report.when == "call" and report.passed and quick:
            self.ran[report.nodeid] = frozenset(self.seen)
