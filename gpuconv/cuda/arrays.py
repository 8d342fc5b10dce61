"""Arrays on a GPU: the calls to CuPy that moving data takes."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def is_cuda(kind: type) -> bool:
    """Whether this is the type of CuPy's arrays, without importing CuPy."""
    return kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray"


def to_cuda(host: np.ndarray) -> Any:
    """A copy on the current GPU."""
    import cupy

    return cupy.asarray(host)


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An uninitialised array on the current GPU; raises MemoryError saying what is free."""
    import cupy

    try:
        return cupy.empty(shape, dtype)
    except cupy.cuda.memory.OutOfMemoryError as error:
        free, total = cupy.cuda.Device().mem_info
        raise MemoryError(f"{free:,} of {total:,} bytes are free") from error


def aligned(arrays: Iterable[Any], size: int) -> bool:
    """Whether every array, on a GPU or emulated, starts on a multiple of ``size`` bytes."""
    return all(_address(array) % size == 0 for array in arrays)


def _address(array: Any) -> int:
    return int(array.data.ptr if is_cuda(type(array)) else array.ctypes.data)
