"""A driver, GPUs, packages and a CuPy that are not there."""

import ctypes
import functools
import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpuconv import device
from gpuconv.cuda import arrays, driver, libcuda, toolkit
from gpuconv.cuda.libcuda import Driver, Gpu
from gpuconv.cuda.toolkit import Nvrtc

H100 = Gpu("NVIDIA H100", 90, 80 * 2**30)
P100 = Gpu("Tesla P100", 60, 16 * 2**30)
GOOD = Driver((13, 0), (H100,))
NVRTC = Nvrtc((13, 0), (75, 80, 90, 120))
PACKAGES = {"cupy-cuda13x": "14.2.0", "numba-cuda": "0.31.0", "nvidia-nccl-cu13": "2.32.3"}


def fake_cupy(built: int = 13020, result: Any = (1, 2, 3, 4), broken: str = "") -> ModuleType:
    """A CuPy for CUDA ``built`` whose probe kernel gives ``result``, or raises if it is broken."""

    def launch(*_: object) -> None:
        if broken:
            raise RuntimeError(broken)

    module: Any = ModuleType("cupy")
    module.cuda = SimpleNamespace(
        runtime=SimpleNamespace(runtimeGetVersion=lambda: built, getDevice=lambda: 0),
        Device=lambda number: SimpleNamespace(id=number, compute_capability="90"),
    )
    module.zeros = lambda *_: SimpleNamespace(get=lambda: np.array(result))
    module.RawKernel = lambda *_: launch
    return module


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    says: Driver | None = GOOD,
    cupy: ModuleType | None = None,
    packages: Mapping[str, str] = PACKAGES,
    nvrtc: Nvrtc | str = NVRTC,
) -> None:
    """Make this machine one with that driver, CuPy (None: none), packages and NVRTC."""
    fresh = functools.cache(driver.missing.__wrapped__)
    listed = [SimpleNamespace(metadata={"Name": name}) for name in packages]
    monkeypatch.setattr(libcuda, "ask", lambda: says)
    monkeypatch.setattr(arrays, "_arch", functools.cache(arrays._arch.__wrapped__))
    monkeypatch.setattr(driver, "missing", fresh)
    monkeypatch.setattr(device, "missing", fresh)
    monkeypatch.setattr(driver, "distributions", lambda: listed)
    monkeypatch.setattr(toolkit, "version", lambda name: _version(packages, name))
    monkeypatch.setattr(toolkit, "find_nvrtc", lambda: nvrtc)
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def _version(packages: Mapping[str, str], name: str) -> str:
    if name not in packages:
        raise toolkit.PackageNotFoundError(name)
    return packages[name]


class FakeLibrary:
    """libcuda.so.1 with these GPUs; ``code`` is what cuInit answers."""

    def __init__(self, version: int, gpus: tuple[Gpu, ...] = (), code: int = 0) -> None:
        self.version, self.gpus, self.code = version, gpus, code

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"libcuda.so.1 has no {name}")

    def cuDriverGetVersion(self, out: Any) -> int:
        """In thousands and tens: 13000 is CUDA 13.0."""
        out._obj.value = self.version
        return 0

    def cuInit(self, flags: int) -> int:
        """Nothing else answers before it."""
        return self.code

    def cuGetErrorName(self, code: int, out: Any) -> int:
        """The name of two codes."""
        names = {803: b"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}
        out._obj.value = names.get(code)
        return 0 if code in names else 1

    def cuDeviceGetCount(self, out: Any) -> int:
        """How many GPUs there are."""
        out._obj.value = len(self.gpus)
        return 0

    def cuDeviceGet(self, out: Any, index: int) -> int:
        """A handle, which differs from the index."""
        out._obj.value = index + 40
        return 0

    def _gpu(self, handle: ctypes.c_int) -> Gpu:
        return self.gpus[handle.value - 40]

    def cuDeviceGetName(self, out: Any, size: int, handle: ctypes.c_int) -> int:
        """The name, cut at the size of the buffer."""
        out.value = self._gpu(handle).name.encode()[: size - 1]
        return 0

    def cuDeviceGetAttribute(self, out: Any, attribute: int, handle: ctypes.c_int) -> int:
        """The compute capability's two halves (cuda.h: attributes 75 and 76)."""
        out._obj.value = divmod(self._gpu(handle).arch, 10)[attribute - 75]
        return 0

    def cuDeviceTotalMem_v2(self, out: Any, handle: ctypes.c_int) -> int:
        """Bytes, more than 32 bits of them."""
        out._obj.value = self._gpu(handle).memory
        return 0
