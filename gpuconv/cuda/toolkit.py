"""Which parts of CUDA's toolkit are here, beside NVRTC (compile.py): headers, NCCL."""

import ctypes
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .compile import nvrtc

Version = tuple[int, int]


def installed(package: str) -> str | None:
    """The version of an installed package, or None; it is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Nvrtc:
    """The NVRTC that compiles gpuconv's kernels, and what it compiles for (90 is sm_90)."""

    version: Version
    archs: tuple[int, ...]


def find_nvrtc() -> Nvrtc | str:
    """NVRTC, or one line saying why it cannot be used."""
    bindings, reason = nvrtc()
    if bindings is None:
        return " ".join(str(reason).split())[:160]
    _, major, minor = bindings.nvrtcVersion()
    _, count = bindings.nvrtcGetNumSupportedArchs()
    _, archs = bindings.nvrtcGetSupportedArchs()
    return Nvrtc((major, minor), tuple(archs)[:count])


def find_headers() -> tuple[Path, Version] | None:
    """CUDA's headers where CuPy finds them too, and the toolkit they come from, or None."""
    try:
        from cuda.pathfinder import find_nvidia_header_directory  # CuPy brings it

        folder = Path(find_nvidia_header_directory("cudart") or "")
        text = (folder / "cuda_runtime_api.h").read_text(errors="replace")
    except (ImportError, OSError):
        return None
    found = re.search(r"^#define\s+CUDART_VERSION\s+(\d+)", text, re.MULTILINE)
    number = int(found[1]) if found else 0
    return (folder, (number // 1000, number % 1000 // 10)) if number else None


def find_nccl() -> tuple[str, str | None] | None:
    """NCCL, and the CUDA it is built for as "13" (None: unknown); or None."""
    for major in ("13", "12"):
        name = f"nvidia-nccl-cu{major}"
        if number := installed(name):
            return f"{name} {number}", major
    try:
        ctypes.CDLL("libnccl.so.2")
    except OSError:
        return None
    return "the system's libnccl.so.2", None
