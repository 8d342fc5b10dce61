"""Numba-CUDA itself: kernels in Python compiled for a GPU, and launched on CuPy's arrays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from ..emulator.numba_source import is_cuda, is_jitted, rebound


@cache
def numba_cuda() -> Any:
    """Numba's module ``cuda``, made to load with this NumPy."""
    cuda = import_module("numba.cuda")
    with _row_stack():
        import_module("numba.cuda.np.arrayobj")  # the first compilation would, and fail
    return cuda


@contextmanager
def _row_stack() -> Iterator[None]:
    """NumPy 2.5 has no ``row_stack``, which numba-cuda (0.30) names while it is loaded."""
    if hasattr(np, "row_stack"):
        yield
        return
    names: Any = np
    names.row_stack = np.vstack
    try:
        yield
    finally:
        del names.row_stack


def dispatcher(
    function: FunctionType, options: dict[str, Any], compiled: Callable[[Any], Any]
) -> Any:
    """``numba.cuda.jit(**options)`` of what names no Numba yet.

    ``compiled`` gives the dispatcher of a device function that it calls.
    """

    def replaced(value: Any) -> Any:
        if is_cuda(value):
            return numba_cuda()
        return compiled(value) if is_jitted(value) else value

    return numba_cuda().jit(**options)(rebound(function, replaced))


def launch(kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any]) -> None:
    """Run on CuPy's current stream, without a copy and without waiting."""
    import cupy

    cuda, at = numba_cuda(), cupy.cuda.get_current_stream().ptr
    stream = cuda.external_stream(at) if at else 0
    given = [_argument(cuda, argument) for argument in args]
    with _few_blocks_are_fine():
        ready = kernel[grid, block, stream]
    ready(*given)


def _argument(cuda: Any, value: Any) -> Any:
    if not hasattr(value, "__cuda_array_interface__"):
        return value
    return cuda.from_cuda_array_interface(value.__cuda_array_interface__, owner=value, sync=False)


@contextmanager
def _few_blocks_are_fine() -> Iterator[None]:
    """Numba warns where a grid does not fill a GPU; small layers have small grids."""
    config: Any = import_module("numba.cuda.core.config")
    before, config.CUDA_LOW_OCCUPANCY_WARNINGS = config.CUDA_LOW_OCCUPANCY_WARNINGS, 0
    try:
        yield
    finally:
        config.CUDA_LOW_OCCUPANCY_WARNINGS = before


def compile_ptx(kernel: Any, types: Sequence[Any], capability: tuple[int, int]) -> str:
    """The PTX of a kernel for arguments of these Numba types, without a GPU.

    Raises Numba's own errors where the kernel does not compile.
    """
    cuda, device = numba_cuda(), SimpleNamespace(compute_capability=capability)
    module: Any = import_module("numba.cuda.dispatcher")
    asked = module.get_current_device

    @cache
    def fresh(jitted: Any) -> Any:
        return dispatcher(jitted.py_func, jitted.options, fresh)

    module.get_current_device = lambda: device  # a device function asks it, not `capability`
    try:
        return cuda.compile_ptx(fresh(kernel).py_func, tuple(types), cc=capability)[0]
    finally:
        module.get_current_device = asked
