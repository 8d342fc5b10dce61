"""Kernels in Python: ``from gpuconv.cuda.numba import cuda``, not ``from numba import cuda``.

``@cuda.jit`` and all that a kernel uses are Numba-CUDA's. But a kernel is bound to Numba only when
it is launched on a GPU, so that declaring it imports nothing; on device "emulated" it is bound to
the simulator (``gpuconv.emulator.NumbaFunction``). Importing this module raises ModuleNotFoundError
where the package numba-cuda is not installed.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from types import FunctionType
from typing import Any, NoReturn

import numpy as np

from ..emulator import NumbaFunction, current_options
from ..errors import DeviceError, DtypeError, KernelError
from . import numba_gpu
from .launch import Dim, place, require_current

if find_spec("numba_cuda") is None:
    raise ModuleNotFoundError("the package numba-cuda is not installed", name="numba-cuda")


class Jitted:
    """A kernel, or a device function, before it is known where it runs."""

    def __init__(self, function: FunctionType, options: dict[str, Any]) -> None:
        self.py_func, self.options = function, options
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def __call__(self, *args: Any) -> NoReturn:
        raise KernelError(
            f"{self.__name__}: launch() runs a kernel; a device function is called by its bare "
            "name in a kernel"
        )

    @cached_property
    def simulated(self) -> NumbaFunction:
        """The kernel on the CPU."""
        return NumbaFunction(self)

    @cached_property
    def compiled(self) -> Any:
        """Numba's own dispatcher of it."""
        return numba_gpu.dispatcher(self.py_func, self.options, lambda other: other.compiled)


class _Names:
    """Stands for Numba's module ``cuda`` in a kernel's file."""

    __name__ = "numba.cuda"

    def jit(self, function: Any = None, **options: Any) -> Any:
        """Numba's decorator: ``@cuda.jit``, or ``@cuda.jit(device=True)`` for what kernels call."""
        return Jitted(function, options) if function else lambda f: Jitted(f, options)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cuda.{name} is there for kernels only, under @cuda.jit")


cuda: Any = _Names()


def launch(kernel: Jitted, grid: Dim, block: Dim, args: Sequence[Any]) -> None:
    """Run ``kernel`` on the device that its array arguments live on.

    ``args`` are arrays, NumPy scalars, ints (64 bits in the kernel) and tuples of ints. Raises
    DtypeError or DeviceError before anything runs.
    """
    name, arrays = kernel.__name__, [a for a in args if hasattr(a, "strides") and not _scalar(a)]
    _refuse_floats(name, args)
    places = {place(type(a)) for a in arrays}
    if len(places) != 1 or "cpu" in places:
        listed = ", ".join(sorted(places)) or "no device"
        raise DeviceError(f"{name}: its arrays live on {listed}; expected one GPU")
    if 0 in grid:
        return
    if "emulated" in places:
        kernel.simulated(grid, block, args, current_options())
    else:
        require_current(name, arrays)
        numba_gpu.launch(kernel.compiled, grid, block, args)


def _scalar(value: Any) -> bool:
    return isinstance(value, np.generic)


def _refuse_floats(kernel: str, args: Sequence[Any]) -> None:
    for value in args:
        if isinstance(value, float) and not _scalar(value):
            raise DtypeError(
                f"{kernel}: the Python number {value!r} would be sent as 64 bits and widen what it "
                "meets; pass a NumPy scalar of the arrays' dtype"
            )
