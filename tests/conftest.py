"""One thread per worker, the same hypothesis examples in every run, and a count of GPU skips."""

import os
from typing import Any

# Read when NumPy loads its BLAS, so they stand before any import that brings NumPy in.
for _name in ("GPUCONV", "MKL", "NUMEXPR", "OMP", "OPENBLAS", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")
os.environ["GPUCONV_PLAN"] = "none"  # what somebody tuned here is no part of a test

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")


def _no_gpu() -> str | None:
    from gpuconv import device, errors

    try:
        device.get("cuda")
    except errors.DeviceError as error:
        return f"needs a CUDA GPU: {error}"
    return None


def _no_emulator() -> str | None:
    from gpuconv import emulator

    usable, reason = emulator.available()
    return None if usable else reason


def _no_numba_cuda() -> str | None:
    from importlib.util import find_spec

    return None if find_spec("numba_cuda") else "the package numba-cuda is not installed"


def _no_browser() -> str | None:
    from browser import missing

    return missing()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needs = {
        **{"gpu": _no_gpu, "emulated": _no_emulator, "numba_cuda": _no_numba_cuda},
        "browser": _no_browser,
    }
    for mark, missing in needs.items():
        marked = [item for item in items if item.get_closest_marker(mark)]
        reason = missing() if marked else None
        for item in marked if reason else []:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum("gpu" in report.keywords for report in skipped)
    terminalreporter.write_line(f"GPU tests skipped: {count}")
    rest = [report for report in skipped if "gpu" not in report.keywords]
    for mark in ("emulated", "numba_cuda", "browser"):
        count = sum(mark in report.keywords for report in rest)
        if count:
            terminalreporter.write_line(f"{mark} tests skipped: {count}")
