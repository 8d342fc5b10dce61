"""Programs of others: pytest on the GPU tests, compute-sanitizer over the small cases."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gpuconv.errors import GpuconvError

from .items import Item, Session, Unavailable

TESTS = Path(__file__).resolve().parents[2] / "tests"
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
PLACES = ("/usr/local/cuda/bin", "/opt/cuda/bin")  # of the toolkit, where the PATH lacks it
MINUTES = 4
KEPT = 4 << 20  # bytes of a log


def items(session: Session) -> Iterator[Item]:
    """One row for each tool of compute-sanitizer, then the tests that need a GPU."""
    for tool in TOOLS:
        run = partial(sanitizer, session, tool)
        yield Item("compute-sanitizer", tool, run, limit=60.0 * MINUTES)
    yield Item("tests", "pytest", partial(tests, session), limit=60.0 * MINUTES)


def tests(session: Session) -> dict[str, Any]:
    """How many tests of the mark passed; in a rehearsal they are only collected."""
    if not TESTS.is_dir():
        raise Unavailable("the tests are not installed; run from a checkout")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "gpu and not exhaustive"]
    if session.rehearsal:
        command += ["--collect-only"]
    elif find_spec("xdist"):
        command += ["-n", str(min(8, os.cpu_count() or 1))]
    code, text = logged(command, session.file("-tests.log"))
    counts = _counts(text)
    if code != 0 or not counts.get("collected" if session.rehearsal else "passed"):
        raise GpuconvError(f"pytest ended with {code}: {counts}; see the log")
    return counts


def _counts(text: str) -> dict[str, int]:
    """How many passed, failed and so on, as pytest's last lines have it."""
    end = text[-2000:]
    counted = re.findall(r"(\d+) (passed|failed|skipped|errors?)|(\d+)/\d+ tests", end)
    return {kind or "collected": int(a or b) for a, kind, b in counted}


def sanitizer(session: Session, tool: str) -> dict[str, Any]:
    """The number of errors that the tool sees while every kernel runs its first cases."""
    if session.rehearsal:
        raise Unavailable("compute-sanitizer watches real GPUs; the emulator has its check mode")
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    program = shutil.which("compute-sanitizer", path=path)
    if program is None:
        raise Unavailable("compute-sanitizer is not on the PATH")
    command = [program, "--tool", tool, "--error-exitcode", "9", "--print-limit", "20"]
    command += [sys.executable, "-m", "gpuconv.benchmarks.gpu_session.small"]
    code, text = logged(command, session.file("-sanitizer.log"))
    summaries = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", text)
    ran = re.findall(r"(\d+) launches of small cases", text)
    if code != 0 or summaries[-1:] != ["0"] or not ran or ran[-1] == "0":
        failed = "; ".join(re.findall(r"^failed: .*", text, re.MULTILINE)[:3])
        raise GpuconvError(
            f"{tool} ended with {code}, errors {summaries}, cases {ran}; see the log {failed}"
        )
    return {"errors": 0, "cases": int(ran[-1])}


def logged(command: list[str], log: Path) -> tuple[int, str]:
    """Exit code and output, which goes to the end of the log as it comes."""
    with log.open("ab") as file:
        file.write(f"$ {' '.join(command[1:])}\n".encode())
        file.flush()
        begin = file.tell()
        done = subprocess.run(
            command, cwd=TESTS.parent if TESTS.is_dir() else None, check=False,
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    content = log.read_bytes()
    if len(content) > KEPT:
        log.write_bytes(content[-KEPT:])
    return done.returncode, content[begin:].decode(errors="replace")
