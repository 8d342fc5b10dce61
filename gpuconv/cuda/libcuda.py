"""What the NVIDIA driver says about itself and its GPUs, asked without CuPy."""

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
KERNEL_MODULE = Path("/proc/driver/nvidia/version")
NO_DEVICE = 100  # cuda.h: CUDA_ERROR_NO_DEVICE
MAJOR, MINOR = 75, 76  # cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name, compute capability (86 is 8.6) and memory in bytes."""

    name: str
    arch: int
    memory: int

    def __str__(self) -> str:
        return f"{self.name} (sm_{self.arch})"


@dataclass(frozen=True)
class Driver:
    """The driver's newest CUDA, its GPUs, and why it does not answer (None: it does)."""

    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...] = ()
    fault: str | None = None


def ask() -> Driver | None:
    """What the driver says; None where there is none. Never raises."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    number = ctypes.c_int()
    code = library.cuDriverGetVersion(ctypes.byref(number))
    version = (number.value // 1000, number.value % 1000 // 10)
    code = code or library.cuInit(0)
    if code == NO_DEVICE:
        return Driver(version)
    if code:
        return Driver(version, fault=_name(library, code))
    library.cuDeviceGetCount(ctypes.byref(number))
    return Driver(version, tuple(_gpu(library, index) for index in range(number.value)))


def _gpu(library: Any, index: int) -> Gpu:
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceGetAttribute(ctypes.byref(major), MAJOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(minor), MINOR, device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    arch = 10 * major.value + minor.value
    return Gpu(name.value.decode(errors="replace"), arch, memory.value)


def _name(library: Any, code: int) -> str:
    text = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(text))
    return text.value.decode() if text.value else f"error {code}"


def kernel_module() -> str | None:
    """The version of the driver's kernel module, as "580.95.05"; None where none is loaded."""
    try:
        text = KERNEL_MODULE.read_text()
    except OSError:
        return None
    found = re.search(r"Module(?: for \S+)?\s+(\d[\d.]*)", text)
    return found[1] if found else None
