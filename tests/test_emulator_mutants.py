"""Correct kernels with one barrier or wait deleted: check mode reports every one of them."""

import inspect
import re
import shutil
from pathlib import Path

import pytest
import test_emulator

from gpuconv import emulator

pytestmark = [pytest.mark.emulated, pytest.mark.slow]
WAIT = re.compile(r"__sync(?:threads|warp)\([^)]*\);|__pipeline_wait_prior\(\d\);")
# Its barrier orders nothing: the kernel shows threads that end early.
EXEMPT = "ended_threads"


def waits() -> list[tuple[str, int]]:
    """File and line (from 0) of every barrier and wait of the correct kernels."""
    found = []
    for name in ("correct.cu", "tools.cuh"):
        kernel = ""
        for number, line in enumerate((test_emulator.HERE / name).read_text().splitlines()):
            kernel = (re.findall(r"void (\w+)\(", line) or [kernel])[0]
            if WAIT.search(line) and kernel != EXEMPT:
                found.append((name, number))
    return found


def mutant(folder: Path, name: str, number: int) -> emulator.Module:
    """The correct kernels without the wait on that line."""
    for path in test_emulator.HERE.iterdir():
        shutil.copy(path, folder)
    lines = (folder / name).read_text().splitlines()
    lines[number] = WAIT.sub(";", lines[number])
    (folder / name).write_text("\n".join(lines) + "\n")
    return emulator.Module(folder / "correct.cu", mode="check")


@pytest.mark.parametrize(("name", "number"), waits(), ids=str)
def test_a_deleted_wait_is_reported(tmp_path, name, number):
    module = mutant(tmp_path, name, number)

    def run(kernel, grid, block, *args, **options):
        module.function(kernel)(grid, block, args, **options)

    with pytest.raises((emulator.RaceError, emulator.UninitializedError)):
        run_all(run)


def run_all(run) -> None:
    """Every test of the correct kernels that needs nothing but ``run``."""
    for _, test in inspect.getmembers(test_emulator, inspect.isfunction):
        if list(inspect.signature(test).parameters) == ["run"]:
            test(run)
