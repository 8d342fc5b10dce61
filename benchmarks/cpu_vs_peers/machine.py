"""The machine and the versions that figures belong to."""

import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gpuconv import cpu

PACKAGES = ("gpuconv", "numpy", "numba", "llvmlite", "torch", "onnxruntime")


def machine() -> dict[str, Any]:
    """CPU, width of its vectors, threads in force, versions, date."""
    return {
        "cpu": _name(),
        "simd": cpu.level(),
        "threads": cpu.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "date": date.today().isoformat(),
    }


def _name() -> str:
    """The CPU's name as Linux tells it, else as Python does."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
