"""Is there a GPU that works? Only a kernel that ran says so."""

from functools import cache
from importlib.metadata import distributions
from typing import Any

import numpy as np


def cupys() -> list[str]:
    """The CuPy distributions that are installed; more than one get in each other's way."""
    names = {d.metadata["Name"] or "" for d in distributions()}
    return sorted(n for n in names if n == "cupy" or n.startswith("cupy-cuda"))


@cache
def missing() -> str | None:
    """One line saying why there is no CUDA device, or None where a probe kernel ran."""
    try:
        import cupy
    except ModuleNotFoundError:
        return "no GPU: CuPy is not installed"
    except ImportError as error:
        return f"no GPU: CuPy cannot be imported ({_line(error)})"
    several = cupys()
    if len(several) > 1:
        return f"no GPU: several CuPys are installed ({', '.join(several)}); keep one"
    return _no_device(cupy) or _no_probe(cupy)


def _no_device(cupy: Any) -> str | None:
    runtime = cupy.cuda.runtime
    try:
        driver = int(runtime.driverGetVersion())
        if not driver:
            return "no GPU: there is no NVIDIA driver"
        count = int(runtime.getDeviceCount())
    except Exception as error:
        return f"no GPU: the driver does not answer ({_line(error)})"
    return None if count else "no GPU: the driver sees no device"


def _no_probe(cupy: Any) -> str | None:
    """Run a kernel; a device may be there and still be too old or too new for the toolkit."""
    code = 'extern "C" __global__ void probe(int* y) { y[threadIdx.x] = threadIdx.x + 1; }'
    try:
        y = cupy.zeros(4, np.int32)
        cupy.RawKernel(code, "probe")((1,), (4,), (y,))
        right = y.get().tolist() == [1, 2, 3, 4]
    except Exception as error:
        return f"no GPU: a probe kernel does not run ({_line(error)})"
    return None if right else "no GPU: a probe kernel gave wrong values"


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def gpu() -> dict[str, Any]:
    """The current GPU as its driver describes it: name, arch ("sm_90"), memory in bytes, ..."""
    import cupy

    found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "name": found["name"].decode(),
        "arch": f"sm_{found['major']}{found['minor']}",
        "memory": int(found["totalGlobalMem"]),
        "multiprocessors": int(found["multiProcessorCount"]),
        "clock_hz": 1000 * int(found.get("clockRate", 0)),
        "driver": int(cupy.cuda.runtime.driverGetVersion()),
    }
