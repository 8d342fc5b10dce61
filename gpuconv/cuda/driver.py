"""Is there a GPU that works? Only a kernel that ran says so."""

import os
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

from .._cache import folder, writable
from ..errors import DeviceError
from . import libcuda
from .libcuda import Driver, Gpu

TOO_OLD = "the driver is too old"
OLDEST_CUDA = (12, 0)  # of the CuPys that the extras install
OLDEST_ARCH = 75  # the oldest that NVRTC 13 compiles for


def cupys() -> list[str]:
    """The CuPy distributions that are installed; more than one get in each other's way."""
    names = {d.metadata["Name"] or "" for d in distributions()}
    return sorted(n for n in names if n == "cupy" or n.startswith("cupy-cuda"))


@cache
def missing() -> str | None:
    """One line saying why there is no CUDA device, or None where a probe kernel ran."""
    driver = libcuda.ask()
    reason = obstacle(driver) or _probe_fault()
    return f"no GPU: {reason}" if reason else None


def obstacle(driver: Driver | None) -> str | None:
    """Why a probe kernel cannot even be tried, or None."""
    return driver_fault(driver) or gpu_fault(driver) or cupy_fault(driver)


def driver_fault(driver: Driver | None) -> str | None:
    """Why this driver runs nothing of gpuconv, or None."""
    if driver is None:
        return "there is no NVIDIA driver"
    if driver.fault:
        return f"the driver does not answer ({driver.fault})"
    if driver.cuda < OLDEST_CUDA:
        return f"{TOO_OLD}: it runs CUDA {dotted(driver.cuda)}, expected 12.0 or newer"
    return None


def gpu_fault(driver: Driver | None) -> str | None:
    """Why gpuconv cannot use the driver's first GPU, which CuPy takes, or None."""
    if driver is None or not driver.gpus:
        return "the driver sees no device"
    first = driver.gpus[0]
    return f"{first} is older than sm_{OLDEST_ARCH}" if first.arch < OLDEST_ARCH else None


def cupy_fault(driver: Driver | None) -> str | None:
    """Why CuPy cannot be used with this driver, or None."""
    several = cupys()
    if len(several) > 1:
        return f"several CuPys are installed ({', '.join(several)}); keep one"
    try:
        _give_cupy_a_cache()
        import cupy

        built = int(cupy.cuda.runtime.runtimeGetVersion()) // 1000
    except ModuleNotFoundError:
        return "CuPy is not installed"
    except Exception as error:  # besides ImportError what its cache and its libraries raise
        return f"CuPy cannot be imported ({_line(error)})"
    if driver is not None and driver.cuda[0] < built:
        runs = dotted(driver.cuda)
        return f"{TOO_OLD}: it runs CUDA {runs}, this CuPy is built for CUDA {built}"
    return None


def _give_cupy_a_cache() -> None:
    """CuPy makes its cache on import, and raises where the home folder cannot be written."""
    named = "CUPY_CACHE_DIR" in os.environ
    if not named and not writable(Path(os.path.expanduser("~/.cupy/kernel_cache"))):
        os.environ["CUPY_CACHE_DIR"] = str(folder() / "cupy")


def _probe_fault() -> str | None:
    """Run a kernel; a device may be there and still be too old or too new for the toolkit."""
    import cupy

    code = 'extern "C" __global__ void probe(int* y) { y[threadIdx.x] = threadIdx.x + 1; }'
    try:
        y = cupy.zeros(4, np.int32)
        cupy.RawKernel(code, "probe")((1,), (4,), (y,))
        right = y.get().tolist() == [1, 2, 3, 4]
    except Exception as error:
        return f"a probe kernel does not run ({_line(error)})"
    return None if right else "a probe kernel gave wrong values"


def dotted(version: tuple[int, ...]) -> str:
    """(13, 0) as "13.0"."""
    return ".".join(map(str, version))


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def gpu() -> Gpu:
    """The GPU that kernels run on; raises DeviceError where the driver shows none."""
    driver = libcuda.ask()
    if driver is None or not driver.gpus:
        raise DeviceError("no GPU: the driver sees no device")
    return driver.gpus[0]
