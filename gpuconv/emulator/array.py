"""EmulatedArray: memory of the emulated GPU. It behaves as a foreign device does.

Views, slicing, copy, astype, assignment and repr work; arithmetic, NumPy functions and reductions
raise a DeviceError that names the way to do it, and so does mixing it with CPU arrays. Reading it
back is ``gpuconv.to_numpy`` (or ``numpy.asarray``).
"""

from typing import Any, NoReturn

import numpy as np

from ..errors import DeviceError

# What ndarray computes without going through a ufunc or an array function.
_COMPUTING = """
    all any argmax argmin argpartition argsort byteswap choose clip compress conj conjugate cumprod
    cumsum diagonal dot fill max mean min nonzero partition prod ptp put repeat resize round
    searchsorted sort std sum take trace var
"""
_OPERATORS = {
    "add": "ops.add",
    "matmul": "ops.linear",
    "maximum": "ops.relu",
    "sum": "ops.channel_sum",
}


def _refuse(name: str) -> NoReturn:
    known = _OPERATORS.get(name)
    hint = f"use gpuconv.{known}" if known else "use a function of gpuconv.ops"
    raise DeviceError(
        f"emulated array: numpy's {name!r} does not run on device emulated; {hint}, or bring it to "
        "the CPU with gpuconv.to_numpy"
    )


class EmulatedArray(np.ndarray):
    """An array on device "emulated"; made by ``gpuconv.to_device(array, "emulated")``."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        _refuse(ufunc.__name__ if method == "__call__" else _reduction(ufunc.__name__))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        _refuse(func.__name__)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and type(value) is not EmulatedArray:
            raise DeviceError(
                "emulated array: a CPU array cannot be assigned to it; move it first with "
                "gpuconv.to_device(array, 'emulated')"
            )
        plain = value.view(np.ndarray) if isinstance(value, np.ndarray) else value
        self.view(np.ndarray)[index] = plain

    def __repr__(self) -> str:
        return f"emulated({np.array2string(self.view(np.ndarray), separator=', ')})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 and spec else repr(self)

    def __reduce__(self) -> Any:
        return np.array(self.view(np.ndarray)).__reduce__()

    def __dlpack__(self, **options: Any) -> Any:
        return np.array(self.view(np.ndarray)).__dlpack__(**options)


def _reduction(name: str) -> str:
    return {"add": "sum", "maximum": "max", "minimum": "min", "multiply": "prod"}.get(name, name)


def _refusing(name: str) -> Any:
    def method(self: EmulatedArray, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(name)

    method.__name__ = name
    method.__doc__ = "Raises DeviceError: it would compute on the CPU."
    return method


for _name in _COMPUTING.split():
    if hasattr(np.ndarray, _name):
        setattr(EmulatedArray, _name, _refusing(_name))
