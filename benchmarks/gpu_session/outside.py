"""Programs of others: pytest on the GPU tests, compute-sanitizer over the small cases."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from gpuconv.errors import GpuconvError

from .items import Item, Session, Unavailable

TESTS = Path(__file__).resolve().parents[2] / "tests"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
MINUTES = 4


def items(session: Session) -> Iterator[Item]:
    """The tests that need a GPU, then one row for each tool of compute-sanitizer."""
    yield Item("tests", "pytest", partial(tests, session), limit=60.0 * MINUTES)
    for tool in TOOLS:
        run = partial(sanitizer, session, tool)
        yield Item("compute-sanitizer", tool, run, limit=60.0 * MINUTES)


def tests(session: Session) -> dict[str, Any]:
    """How many tests of the mark passed; in a rehearsal they are only collected."""
    if not TESTS.is_dir():
        raise Unavailable("the tests are not installed; run from a checkout")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    command += ["--collect-only"] if session.rehearsal else ["-n", str(min(8, os.cpu_count() or 1))]
    done = _logged(command, session.file("-tests.log"))
    counted = re.findall(r"(\d+) (passed|failed|skipped|errors?|selected)|(\d+)/\d+ tests", done[1])
    counts = {kind or "collected": int(a or b) for a, kind, b in counted}
    if done[0] != 0:
        raise GpuconvError(f"pytest ended with {done[0]}: {counts}; see the log")
    return counts


def sanitizer(session: Session, tool: str) -> dict[str, Any]:
    """The number of errors that the tool sees while every kernel runs its first cases."""
    if session.rehearsal:
        raise Unavailable("compute-sanitizer watches real GPUs; the emulator has its check mode")
    program = shutil.which("compute-sanitizer")
    if program is None:
        raise Unavailable("compute-sanitizer is not on the PATH")
    command = [program, "--tool", tool, "--error-exitcode", "9", "--print-limit", "20"]
    command += [sys.executable, "-m", "gpuconv.benchmarks.gpu_session.small"]
    code, text = _logged(command, session.file("-sanitizer.log"))
    summaries = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", text)
    ran = re.findall(r"(\d+) launches of small cases", text)
    if code != 0 or not summaries or not ran:
        raise GpuconvError(f"{tool} ended with {code}, errors {summaries}; see the log")
    return {"errors": int(summaries[-1]), "cases": int(ran[-1])}


def _logged(command: list[str], log: Path) -> tuple[int, str]:
    """Exit code and output, which also goes to the end of the log."""
    done = subprocess.run(
        command, cwd=TESTS.parent if TESTS.is_dir() else None, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with log.open("a") as file:
        file.write(f"$ {' '.join(command[1:])}\n{done.stdout[-2_000_000:]}\n")
    return done.returncode, done.stdout
