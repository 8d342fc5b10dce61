"""Checks of a launch before it starts: grid, block, shared memory, and each argument."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DtypeError, LaunchError
from .errors import Index

MAX_THREADS = 1024
MAX_STATIC_SHARED = 48 << 10  # CUDA refuses to compile more
MAX_SHARED = 227 << 10
_BLOCK_LIMITS = (1024, 1024, 64)
_GRID_LIMITS = (2**31 - 1, 65535, 65535)
# The letters of include/emu_signature.h; bfloat16 and structs are looked at below.
_DTYPES = {
    **{"f": "float32", "d": "float64", "e": "float16", "?": "bool"},
    **{"b": "int8", "h": "int16", "i": "int32", "q": "int64"},
    **{"B": "uint8", "H": "uint16", "I": "uint32", "Q": "uint64"},
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel as its C++ declares it; ``size`` and ``align`` in bytes."""

    name: str
    kind: str  # p: pointer, c: pointer to const, v: value
    code: str
    size: int
    align: int

    @property
    def is_pointer(self) -> bool:
        return self.kind in "pc"

    @property
    def constant(self) -> bool:
        return self.kind == "c"

    def accepts(self, dtype: np.dtype) -> bool:
        """Do values of this dtype have the parameter's bits?"""
        if self.code == "v":
            return True
        if self.code == "g":
            return dtype.name in ("bfloat16", "uint16")
        if self.code == "s":
            return dtype.names is not None and (self.is_pointer or dtype.itemsize == self.size)
        return bool(dtype == np.dtype(_DTYPES[self.code]))

    @property
    def wanted(self) -> str:
        """What to pass, in words."""
        if self.code == "s":
            return f"a structured dtype of {self.size} bytes"
        return {"g": "bfloat16 or uint16", "v": "any dtype"}.get(self.code) or _DTYPES[self.code]


def geometry(kernel: str, grid: Sequence[int], block: Sequence[int]) -> tuple[Index, Index]:
    """``grid`` and ``block`` with three entries each; raises LaunchError."""
    whole = _three(kernel, "grid", grid, _GRID_LIMITS)
    threads = _three(kernel, "block", block, _BLOCK_LIMITS)
    if threads[0] * threads[1] * threads[2] > MAX_THREADS:
        raise LaunchError(
            f"{kernel}: a block of {threads} has more than {MAX_THREADS} threads; use a smaller one"
        )
    return whole, threads


def _three(kernel: str, what: str, given: Sequence[int], limits: Index) -> Index:
    if not isinstance(given, Sequence) or not 1 <= len(given) <= 3:
        raise LaunchError(f"{kernel}: {what} must be a tuple of 1 to 3 integers, got {given!r}")
    values = (*given, 1, 1)[:3]
    for value, limit in zip(values, limits, strict=True):
        is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_integer or not 1 <= value <= limit:
            raise LaunchError(f"{kernel}: {what} {given!r} must lie in 1 .. {limits}")
    return int(values[0]), int(values[1]), int(values[2])


def shared_memory(kernel: str, static: int, dynamic: int) -> int:
    """The bytes of dynamic shared memory; raises LaunchError where a GPU has not so much."""
    if not isinstance(dynamic, int | np.integer) or dynamic < 0:
        raise LaunchError(f"{kernel}: shared_mem must be a number of bytes, got {dynamic!r}")
    if static > MAX_STATIC_SHARED:
        raise LaunchError(
            f"{kernel}: {static} bytes of __shared__ variables, at most {MAX_STATIC_SHARED}; "
            "take dynamic shared memory (extern __shared__)"
        )
    if static + dynamic > MAX_SHARED:
        raise LaunchError(
            f"{kernel}: {static} bytes of static and {dynamic} of dynamic shared memory, "
            f"at most {MAX_SHARED} together; use smaller tiles"
        )
    return int(dynamic)


def check(kernel: str, parameters: Sequence[Parameter], args: Sequence[object]) -> None:
    """Raise LaunchError or DtypeError unless the arguments are what the C++ parameters take."""
    if len(args) != len(parameters):
        names = ", ".join(p.name for p in parameters)
        raise LaunchError(
            f"{kernel}: {len(args)} arguments for {len(parameters)} parameters ({names})"
        )
    for i, (parameter, argument) in enumerate(zip(parameters, args, strict=True)):
        what = f"{kernel}: argument {i} ({parameter.name})"
        if isinstance(argument, bool | int | float | complex) and not isinstance(
            argument, np.generic
        ):
            raise DtypeError(
                f"{what} is the Python number {argument!r}, which CuPy would send as 64 bits; "
                f"pass an array or numpy scalar of {parameter.wanted}"
            )
        (_check_array if parameter.is_pointer else _check_value)(what, parameter, argument)


def _check_array(what: str, parameter: Parameter, array: object) -> None:
    if array is None:
        return
    if not isinstance(array, np.ndarray):
        raise DtypeError(f"{what} must be an array of {parameter.wanted}, got {array!r}")
    if not parameter.accepts(array.dtype):
        raise DtypeError(f"{what} must be an array of {parameter.wanted}, got {array.dtype}")
    if not array.flags.c_contiguous:
        raise LaunchError(f"{what} is not C-contiguous (strides {array.strides}); pass a copy")
    if array.size and array.ctypes.data % parameter.align:
        raise LaunchError(
            f"{what} does not start on a multiple of {parameter.align} bytes; pass a copy"
        )
    if not parameter.constant and not array.flags.writeable:
        raise LaunchError(f"{what} is read-only, but the kernel may write to it")


def _check_value(what: str, parameter: Parameter, value: object) -> None:
    scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    if not scalar:
        raise DtypeError(f"{what} must be a numpy scalar of {parameter.wanted}, got {value!r}")
    dtype = value.dtype  # type: ignore[attr-defined]
    if not parameter.accepts(dtype):
        raise DtypeError(f"{what} must be a numpy scalar of {parameter.wanted}, got {dtype}")
