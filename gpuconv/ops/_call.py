"""The one path from a function of this package to a kernel: check, allocate, choose, call."""

from functools import cache
from typing import Any

import numpy as np

from .. import device as devices
from ..cpu import host
from ..device import Device
from ..errors import DeviceError, DtypeError, OptionError, ShapeError
from ..formats import Formatted
from ..limits import current_limits
from ..problem import Problem
from ..registry import Op, choose
from ._formats import call_formatted

FLOATS = ("float32", "float64")


@cache
def dtype_name(dtype: np.dtype) -> str:
    """``dtype.name``, which NumPy makes anew each time; ">f4" for bytes in the other order."""
    return str(dtype.name if dtype.isnative else dtype.str)


def float_array(op: str, name: str, array: Any, ndim: int | tuple[int, ...] | None = None) -> str:
    """The dtype's name of a float32 or float64 array with ``ndim`` dimensions, else an error."""
    devices.of(array.data if type(array) is Formatted else array, op, name)
    dtype = dtype_name(array.dtype)
    if dtype not in FLOATS:
        raise DtypeError(
            f"{op}: {name} is {array.dtype}; expected float32 or float64 "
            f"(convert it with {name}.astype('float32'))"
        )
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and array.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ShapeError(f"{op}: {name} has shape {array.shape}; expected {wanted} dimensions")
    return dtype


def numerics(dtype: str) -> dict[str, Any]:
    """The ``dtype`` and ``precision`` of a problem, as the limits in force say."""
    return {
        "dtype": dtype,
        "precision": "fp64" if dtype == "float64" else current_limits().precision,
    }


def call(
    op: Op,
    problem: Problem,
    *ins: Any,
    updates: tuple = (),
    algorithm: str | None = None,
    device: Device | None = None,
    out: Any = None,
) -> Any:
    """Run ``op`` on checked arrays; returns the outs that are not ``updates``, alone or a tuple.

    ``updates`` are the arrays that change in place, in the order of ``op.updates``; ``device`` is
    asked for only where no array says it. ``out`` is filled and returned where there is one out; it
    overlaps no other array. Given formatted values, outs that can be are formatted too. Raises
    DeviceError, DtypeError, ShapeError or KernelError before anything is computed.
    """
    if Formatted in map(type, ins):
        options = {"updates": updates, "algorithm": algorithm, "out": out}
        return call_formatted(call, op, problem, ins, **options)
    names = (*op.ins, *op.updates)
    given = (*ins, *updates)
    device = _check(op, problem, names, given) or device or devices.CPU
    kernel = choose(op, problem, device, algorithm)
    fixed = dict(zip(op.updates, updates, strict=True))
    if out is not None:
        _check_out(op, problem, device, out, ins)
    outs = tuple(
        fixed[name] if name in fixed else _place(out, *problem.spec(name), device)
        for name in op.outs
    )
    size = kernel.workspace(problem, device)
    work = devices.empty((size,), "uint8", device) if size else None
    ins = tuple(_contiguous(a) for a in ins)
    with np.errstate(all="ignore"):  # NaN and infinity flow, as they do on a GPU
        if kernel.records:
            kernel.run(outs, ins, problem, work)
        else:
            host(kernel.run, outs, ins, problem, work)
    made = tuple(out for name, out in zip(op.outs, outs, strict=True) if name not in fixed)
    return made[0] if len(made) == 1 else made or None


def _contiguous(array: Any) -> Any:
    if array is None or array.flags.c_contiguous:
        return array
    made = devices.empty(array.shape, array.dtype, devices.of(array))
    host(_copy, made, array)
    return made


def _copy(to: Any, array: Any) -> None:
    to[...] = array


def _check(op: Op, problem: Problem, names: tuple[str, ...], given: tuple) -> Device | None:
    device: Device | None = None
    for name, array in zip(names, given, strict=True):
        if array is None and name.endswith("?"):
            continue
        plain = name.rstrip("?")
        here = devices.of(array, op.name, plain)
        if device is not None and here != device:
            raise DeviceError(f"{op.name}: {plain} is on {here}, the other arrays on {device}")
        device = here
        _match(op.name, plain, array, *problem.spec(plain))
        if name in op.updates:
            _require_writable(op.name, plain, array)
    return device


def _place(out: Any, shape: tuple[int, ...], dtype: str, device: Device) -> Any:
    return devices.empty(shape, dtype, device) if out is None else out


def _check_out(op: Op, problem: Problem, device: Device, out: Any, ins: tuple) -> None:
    """Raise unless a kernel may fill ``out``, which must not be one of its ins."""
    (name,) = op.outs
    here = devices.of(out, op.name, "out")
    if here != device:
        raise DeviceError(f"{op.name}: out is on {here}, the other arrays on {device}")
    _match(op.name, "out", out, *problem.spec(name))
    _require_writable(op.name, "out", out)
    if device == devices.CPU and any(np.may_share_memory(out, x) for x in ins if x is not None):
        raise OptionError(f"{op.name}: out shares memory with an input; give another array")


def _require_writable(op: str, name: str, array: Any) -> None:
    if not array.flags.c_contiguous:
        raise ShapeError(f"{op}: {name} is updated in place and must be contiguous")
    if not getattr(array.flags, "writeable", True):  # CuPy has no read-only arrays
        raise OptionError(f"{op}: {name} is updated in place but read-only; give a copy of it")


def _match(op: str, name: str, array: Any, shape: tuple[int, ...], dtype: str) -> None:
    if dtype_name(array.dtype) != dtype:
        raise DtypeError(
            f"{op}: {name} is {array.dtype}, expected {dtype} as the other arrays have it "
            f"(convert it with {name}.astype('{dtype}'))"
        )
    if array.shape != shape:
        raise ShapeError(f"{op}: {name} has shape {array.shape}, expected {shape}")
