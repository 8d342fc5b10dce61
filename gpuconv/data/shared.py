"""Memory that processes share, without a name: the system frees it with its last process.

A named block (``multiprocessing.shared_memory``) stays in /dev/shm after a SIGKILL, and is bounded
by that file system's size, which containers keep at 64 MB.
"""

import mmap
import os
import tempfile
from multiprocessing import reduction
from typing import Any

import numpy as np

from ..shapes import Shape


class SharedBytes:
    """So many bytes of memory; a copy that is handed to a spawned process is the same memory."""

    def __init__(self, size: int) -> None:
        self.size = size
        if hasattr(os, "memfd_create"):
            self._descriptor = os.memfd_create("gpuconv")
        else:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        os.ftruncate(self._descriptor, size)
        self._map = mmap.mmap(self._descriptor, size)

    def array(self, start: int, shape: Shape, dtype: Any) -> np.ndarray:
        """An array over the bytes from ``start``."""
        return np.ndarray(shape, dtype, self._map, start)

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (reduction.DupFd(self._descriptor), self.size)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


def _attach(copy: Any, size: int) -> SharedBytes:
    made = SharedBytes.__new__(SharedBytes)
    made.size, made._descriptor = size, copy.detach()
    made._map = mmap.mmap(made._descriptor, size)
    return made
