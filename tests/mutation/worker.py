"""Runs mutants one by one, each in a child process: a crash or an endless loop ends only that.

The parent has measured what every check launches and knows all references; a child inherits both,
builds the mutated source in a folder of its own, and runs the checks that reach it until one fails.
Check mode from the start: it builds as fast as fast mode, and sees the values and everything else.
"""

import faulthandler
import gc
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpuconv import emulator
from gpuconv.cuda import launch as door
from gpuconv.emulator import build
from gpuconv.errors import CompileError

from .checks import QUIET, Check, Reach, sources_with
from .code import KERNELS
from .kinds import Mutant, mutated

SECONDS = 6  # of processor time, for one check or test
SURVIVED, COMPILE, TIME = "survived", "does not compile", "time"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: SURVIVED, COMPILE, or what noticed it ("values", "RaceError")."""

    mutant: Mutant
    how: str
    by: str = ""  # the check or the test

    @property
    def killed(self) -> bool:
        """Did a check or a test notice?"""
        return self.how not in (SURVIVED, COMPILE)


def outcomes(wanted: list[Mutant], reach: Reach) -> Iterator[Outcome]:
    """What becomes of each mutant."""
    runtime = build.runtime(build.compiler())
    with tempfile.TemporaryDirectory(prefix="gpuconv-mutation-") as folder:
        for number, mutant in enumerate(wanted):
            place = Path(folder) / str(number)
            place.mkdir()
            for part in runtime.parent.glob(f"{runtime.name}*"):
                shutil.copy(part, place)
            yield Outcome(mutant, *_in_child(_judge, mutant, reach, place))
            shutil.rmtree(place)


def _in_child(judge: Callable[..., tuple[str, str]], *args: object) -> tuple[str, str]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _silence()
        os.write(write, json.dumps(judge(*args)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return tuple(json.loads(answer)) if answer else _end(status)


def _end(status: int) -> tuple[str, str]:
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"a child ended with status {status} and no answer")
    number = os.WTERMSIG(status)
    return (TIME, "") if number == signal.SIGXCPU else ("crash", signal.Signals(number).name)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _more_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _judge(mutant: Mutant, reach: Reach, place: Path) -> tuple[str, str]:
    checks, tests = reach.of(mutant)
    _put_in_place(mutant, place)
    for check in checks:
        _more_time()
        how = _noticed(check)
        if how:
            return how, f"{check.op.name}[{check.kernel.name}] {check.problem}"
    if tests:
        watch = _Watch()
        pytest.main([*QUIET, "-x", *tests], plugins=[watch])
        return watch.how or SURVIVED, watch.by
    return SURVIVED, ""


def _noticed(check: Check) -> str:
    try:
        check()
    except Exception as error:
        return _name_of(error)
    return ""


def _name_of(error: BaseException) -> str:
    if isinstance(error, CompileError):
        return COMPILE
    return "values" if isinstance(error, AssertionError) else type(error).__name__


class _Watch:
    """A pytest plugin: the first failure, and time for each test."""

    how = by = ""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        _more_time()

    def pytest_exception_interact(self, node: pytest.Item, call: pytest.CallInfo) -> None:
        self.how, self.by = _name_of(call.excinfo.value), node.name


def _put_in_place(mutant: Mutant, place: Path) -> None:
    """From now on, sources with the mutated file are built from a changed copy of the kernels."""
    os.environ["GPUCONV_CACHE"] = str(place)
    copy = place / "kernels"
    for path in (p for pattern in ("*.cu", "*.cuh") for p in KERNELS.rglob(pattern)):
        target = copy / path.relative_to(KERNELS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (copy / Path(mutant.file).relative_to("kernels")).write_text(mutated(mutant))
    changed = {source.path for source in sources_with(mutant.file)}
    _forget_builds(changed)
    original = emulator.Module

    def module(path, defines=None, include=(), mode="fast"):
        if Path(path).resolve() in changed:
            path, *include = (_moved(p, copy) for p in (path, *include))
        return original(path, defines, include, mode)

    emulator.Module = module


def _moved(path: str | Path, copy: Path) -> Path:
    there = Path(path).resolve()
    return copy / there.relative_to(KERNELS) if there.is_relative_to(KERNELS) else there


def _forget_builds(changed: set[Path]) -> None:
    for function in (o for o in gc.get_objects() if isinstance(o, door.Function)):
        if function.source.path.resolve() in changed:
            function._compiled.clear()
