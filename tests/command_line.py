"""Runs ``gpuconv`` in this process, or in one of its own, and looks at what it said."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from house_rules import ROOT
from typer.testing import CliRunner, Result

from gpuconv.cli import app

QUICK = ["--max-steps", "3", "--device", "cpu"]


def run(*arguments: object) -> Result:
    """In this process; ``stdout`` and ``stderr`` apart."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def succeed(*arguments: object) -> list[str]:
    """Run in this process; the lines that were printed, none of them an error."""
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    assert complaints(result.stderr) == []
    return result.stdout.splitlines()


def complaints(text: str) -> list[str]:
    """The lines of stderr, but for the one that may come where kernels were never used before."""
    return [line for line in text.splitlines() if not line.startswith("compiling kernels for")]


def fail(*arguments: object) -> str:
    """Run in this process; the one line on stderr of a run that must be refused."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = complaints(result.stderr)
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def environment(**changes: str) -> dict[str, str]:
    """That of a plain pipe: no colours forced, this tree's package, this many threads."""
    plain = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS")}
    return {**plain, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **changes}


def start(*arguments: object, **options: Any) -> subprocess.Popen:
    """In a process of its own."""
    line = [sys.executable, "-m", "gpuconv", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(line, **{"env": environment(), **options})


def finish(process: subprocess.Popen, timeout: float = 100) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, out, err


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def accuracy(line: str) -> float:
    """The figure of ``test accuracy 0.xxxx``."""
    found = re.fullmatch(r"test accuracy ([01]\.\d{4})", line)
    assert found, line
    return float(found[1])
