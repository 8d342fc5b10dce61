"""The CPU, the C++ compiler of the emulated GPU, and the folder for built files."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import _cache as cache
from .. import emulator
from ..emulator import build
from ..errors import CompileError, DeviceError
from .finding import Finding

CPUINFO = Path("/proc/cpuinfo")
# Bits by the names of NumPy's CPU features, widest first; NumPy 2.4 began to name x86's levels.
SIMD = {
    512: ("AVX512F", "AVX512_SKX", "X86_V4"),
    256: ("AVX2", "X86_V3"),
    128: ("SSE2", "X86_V2", "NEON", "ASIMD", "VSX", "VX"),
}


def cpu() -> Finding:
    """The CPU, and whether NumPy computes on it."""
    text = f"{_model()}, {_cores()} cores, {_simd()}, NumPy {np.__version__}"
    ones = np.ones((8, 8), np.float32)
    if bool(np.all(ones @ ones == 8)):
        return Finding("CPU", "ok", text)
    return Finding("CPU", "error", f"{text}: a product is wrong", "reinstall NumPy")


def _model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _cores() -> int:
    here = getattr(os, "sched_getaffinity", None)  # Linux only: what this process may use
    return len(here(0)) if here else os.cpu_count() or 1


def _simd() -> str:
    config: Any = np.show_config(mode="dicts")
    names = config.get("SIMD Extensions", {})
    here = {*names.get("baseline", ()), *names.get("found", ())}
    for bits, features in SIMD.items():
        if here.intersection(features):
            return f"{bits}-bit SIMD"
    return "SIMD width unknown"


def compiler() -> Finding:
    """The C++ compiler of the emulated GPU, once it has compiled a line."""
    name, remedy = "C++ compiler", "install g++ (Debian: apt install g++), or set GPUCONV_CXX"
    usable, reason = emulator.available()
    if not usable:
        return Finding(name, "missing", reason, remedy)
    path = build.compiler().path
    options = ("-std=c++17", "-fsyntax-only", "-x", "c++", "-")
    try:
        version = build.run([path, "--version"]).partition("\n")[0]
        build.run([path, *options], given="#include <cstddef>\n")
    except (CompileError, OSError) as error:
        text = f"{path} does not compile C++17 ({str(error).partition(chr(10))[0]})"
        return Finding(name, "error", text, remedy)
    return Finding(name, "ok", f"{version} at {path}: kernels run on the emulated GPU")


def built_files() -> Finding:
    """The folder for built files: where it is, whether it lasts, and what it holds."""
    name, remedy = "cache", "set GPUCONV_CACHE to a folder that can be written"
    try:
        used, wanted = cache.folder(), cache.wanted()
    except DeviceError as error:
        return Finding(name, "error", str(error).partition(";")[0], remedy)
    if used != wanted:
        text = f"{wanted} cannot be written: what is built lasts for one process only"
        return Finding(name, "warning", text, remedy)
    sizes = [size for size in map(_size, used.iterdir()) if size is not None]
    return Finding(name, "ok", f"{used}: {len(sizes)} files, {sum(sizes) / 1e6:,.0f} MB")


def _size(path: Path) -> int | None:
    """Bytes of a file; None for what is none, or is gone since: other processes build meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
