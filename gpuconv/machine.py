"""What a measured time belongs to: the device, the versions, the kernels' sources.

A plan that was made on another device or for other sources says nothing about the kernels here.
"""

import hashlib
import importlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import cuda
from ._version import __version__
from .cpu import get_num_threads, level
from .cuda import compile as compiler
from .device import Device
from .errors import DeviceError

CPUINFO = Path("/proc/cpuinfo")
SOURCES = (".py", ".cu", ".cuh")
PACKAGES = {"cpu": ("numpy", "numba", "llvmlite"), "cuda": ("numba-cuda",), "emulated": ()}

Facts = dict[str, str | int]


def identity(device: Device) -> Facts:
    """The device as a plan names it: a CPU with its vectors and threads, a GPU with its arch."""
    if device.kind == "cpu":
        facts: Facts = {"name": cpu_name(), "simd": level(), "threads": get_num_threads()}
    elif device.kind == "cuda":
        facts = {"name": _gpu_name(), "arch": device.arch or "unknown"}
    else:
        facts = {}
    return {"kind": device.kind, **facts}


@cache
def cpu_name() -> str:
    """The CPU's name as Linux tells it, else as Python does."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


@cache
def _gpu_name() -> str:
    try:
        return cuda.gpu().name
    except DeviceError:
        return "unknown"


@cache
def versions(kind: str) -> dict[str, str]:
    """Of what compiles and runs the kernels on this kind of device, and of the kernels themselves.

    "kernels" is a fingerprint of their sources, of those that came with the package.
    """
    found = {"gpuconv": __version__, "kernels": _fingerprint(kind)}
    for name in PACKAGES[kind]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if kind == "cuda":
        bindings = compiler.nvrtc()[0]
        found["nvrtc"] = compiler.version(bindings) if bindings else "none"
    return found


def _fingerprint(kind: str) -> str:
    (kernels,) = map(Path, importlib.import_module("gpuconv.kernels").__path__)
    ours = Path(__file__).parent / ("cpu" if kind == "cpu" else "cuda")
    found = hashlib.sha256()
    for root in (kernels, ours):
        for path in sorted(p for p in root.rglob("*") if p.suffix in SOURCES):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]
