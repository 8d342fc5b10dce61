"""A kernel written for Numba-CUDA, run on the CPU as Python: no compiler, no GPU, no Numba."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from traceback import walk_tb
from types import FunctionType, ModuleType
from typing import Any, NoReturn

import numpy as np

from ..errors import DtypeError, LaunchError
from . import arguments
from .errors import BoundsError, EmulatorError, UndefinedBehaviourError
from .numba_arrays import Fault, Now, Watched
from .numba_block import Block, Order, indices
from .numba_memory import Memory
from .numba_names import MATH, Cuda, Dim
from .numba_source import is_cuda, is_jitted, rebound, stopping, waits
from .options import Options

_HERE = str(Path(__file__).parent)
PLAIN = Options()
_ARITHMETIC = (ZeroDivisionError, OverflowError, FloatingPointError)


class NumbaFunction:
    """A kernel on the CPU: ``f(grid, block, args)``, as ``emulator.Function`` for CUDA C++.

    ``kernel`` is a Python function, or what ``cuda.jit`` made of one. In mode "check" every access
    is looked at: bounds, what nobody has written, order between threads; "fast" computes values.
    """

    def __init__(self, kernel: Any) -> None:
        function: FunctionType = getattr(kernel, "py_func", kernel)
        self.name = function.__name__
        self._parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        self._now, self._lock = Now(), threading.Lock()
        self._memory = Memory(self._now)
        self._cuda = Cuda(self._memory)
        self._bound: dict[FunctionType, Callable] = {}
        self._waits = waits(function)
        self._run = self._bind(function)

    def _bind(self, function: FunctionType) -> Callable:
        if function not in self._bound:
            make = stopping if waits(function) else rebound
            self._bound[function] = make(function, self._replaced)
        return self._bound[function]

    def _replaced(self, value: Any) -> Any:
        if is_cuda(value):
            return self._cuda
        if isinstance(value, ModuleType) and value.__name__ == "math":
            return MATH
        return self._bind(value.py_func) if is_jitted(value) else value

    def __call__(
        self,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Any],
        options: Options = PLAIN,
    ) -> None:
        """Run every block. Arrays are NumPy's, numbers NumPy's or ints; tuples of ints are taken.

        Raises LaunchError or DtypeError before the launch, and an EmulatorError for a fault; after
        one, check mode leaves every array as it was.
        """
        whole, threads = arguments.geometry(self.name, grid, block)
        self._check(args)
        check = options.mode == "check"
        arrays = [a.view(np.ndarray) for a in args if check and isinstance(a, np.ndarray)]
        kept = [(array, array.copy()) for array in arrays if array.flags.writeable]
        with self._lock, np.errstate(all="ignore"):
            try:
                self._blocks(Dim(*whole), Dim(*threads), args, options)
            except Exception as error:
                for array, before in kept:
                    array[...] = before
                self._report(error)

    def _blocks(self, grid: Dim, block: Dim, args: Sequence[Any], options: Options) -> None:
        cuda, order = self._cuda, Order(options.order, options.seed)
        cuda.gridDim, cuda.blockDim = grid, block
        self._memory.watch = options.mode == "check"
        given = self._given(args)
        for number in order.of(indices(grid)):
            cuda.blockIdx = number
            self._now.next_block()
            self._memory.clear()
            Block(cuda, self._now, order).run(self._run, given, self._waits)

    def _check(self, args: Sequence[Any]) -> None:
        names = self._parameters
        if len(args) != len(names):
            raise LaunchError(
                f"{self.name}: {len(args)} arguments for {len(names)} parameters "
                f"({', '.join(names)})"
            )
        for name, arg in zip(names, args, strict=True):
            if isinstance(arg, np.ndarray) and arg.dtype.kind not in "fiub":
                raise DtypeError(
                    f"{self.name}: {name} has dtype {arg.dtype}; expected floats or integers"
                )

    def _given(self, args: Sequence[Any]) -> tuple:
        return tuple(
            self._watched(name, arg) if isinstance(arg, np.ndarray) else arg
            for name, arg in zip(self._parameters, args, strict=True)
        )

    def _watched(self, name: str, array: np.ndarray) -> Any:
        plain = array.view(np.ndarray)
        return Watched(plain, name, self._now, own=False) if self._memory.watch else plain

    def _report(self, error: Exception) -> NoReturn:
        kind, message, place = EmulatorError, f"{type(error).__name__}: {error}", None
        if isinstance(error, Fault):
            kind, message, place = error.kind, str(error), error.place
        elif isinstance(error, IndexError):
            kind = BoundsError
        elif isinstance(error, _ARITHMETIC):
            kind = UndefinedBehaviourError
        file, line = place or _place(error)
        thread, block = self._now.index, self._cuda.blockIdx
        raise kind(message, self.name, file, line, thread, block) from error


def _place(error: Exception) -> tuple[str, int]:
    """The last line that is not the simulator's own."""
    frames = [(f.f_code.co_filename, line) for f, line in walk_tb(error.__traceback__)]
    return next((place for place in reversed(frames) if not place[0].startswith(_HERE)), ("?", 0))
