"""Arrays on a GPU: the calls to CuPy that moving data takes."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from . import archs


def is_cuda(kind: type) -> bool:
    """Whether this is the type of CuPy's arrays, without importing CuPy."""
    return kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray"


def gpu_of(array: Any) -> int:
    """The number of the GPU that a CuPy array lives on."""
    return int(array.device.id)


def current() -> int:
    """The number of the current GPU: the one that kernels are launched on."""
    import cupy

    return int(cupy.cuda.runtime.getDevice())


def arch(number: int | None = None) -> str:
    """What sources are compiled for on the GPU of that number, or on the current one."""
    return _arch(current() if number is None else number)


@cache
def _arch(number: int) -> str:
    import cupy

    return archs.name(cupy.cuda.Device(number).compute_capability)


def to_cuda(host: np.ndarray) -> Any:
    """A copy on the current GPU."""
    import cupy

    return cupy.asarray(host)


def adopt(array: Any) -> Any:
    """A CuPy array over the memory that ``__cuda_array_interface__`` names."""
    import cupy

    return cupy.asarray(array)


def adopt_dlpack(array: Any) -> Any:
    """A CuPy array over the memory that ``__dlpack__`` hands out."""
    import cupy

    return cupy.from_dlpack(array)


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised array on the current GPU; raises MemoryError saying what is free."""
    import cupy

    try:
        return cupy.empty(shape, dtype)
    except cupy.cuda.memory.OutOfMemoryError as error:
        free, total = cupy.cuda.Device().mem_info
        raise MemoryError(f"{free:,} of {total:,} bytes are free") from error


def allocate_each() -> None:
    """Make every array an allocation of the driver's from now on, and no part of a pool's.

    A tool that watches memory sees the ends of allocations only.
    """
    import cupy

    cupy.cuda.set_allocator(None)


def aligned(arrays: Iterable[Any], size: int) -> bool:
    """Whether every array, on a GPU or emulated, starts on a multiple of ``size`` bytes."""
    return all(_address(array) % size == 0 for array in arrays)


def _address(array: Any) -> int:
    return int(array.data.ptr if is_cuda(type(array)) else array.ctypes.data)
