"""Copies, sums and zeros, as functions: how layers touch values on any device."""

from collections.abc import Sequence

import numpy as np

from .. import device as devices
from ..device import Device
from ..errors import DtypeError, OptionError, ShapeError
from ..kernels.array import op as declared
from ..shapes import Shape, integer
from ._call import FLOATS, call, float_array, numerics


def _problem(op: str, name: str, array: np.ndarray) -> declared.ArrayProblem:
    dtype = float_array(op, name, array)  # first: what is no array has no shape
    return declared.ArrayProblem(array.shape, **numerics(dtype))


def add(a: np.ndarray, b: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """a + b in a new array; equal shapes, no broadcasting (else ShapeError)."""
    return call(declared.add, _problem("add", "a", a), a, b, algorithm=algorithm)


def accumulate(total: np.ndarray, x: np.ndarray, *, algorithm: str | None = None) -> None:
    """total += x in place; equal shapes (else ShapeError)."""
    problem = _problem("accumulate", "total", total)
    call(declared.accumulate, problem, x, updates=(total,), algorithm=algorithm)


def copy(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """A new contiguous array with the values of ``x``."""
    return call(declared.copy, _problem("copy", "x", x), x, algorithm=algorithm)


def zeros(
    shape: Shape,
    dtype: str = "float32",
    device: str | Device = "cpu",
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Zeros of ``shape`` on ``device``; ``dtype`` is float32 or float64 (else DtypeError)."""
    name = next((n for n in FLOATS if dtype in (n, np.dtype(n), np.dtype(n).type)), None)
    if name is None:
        raise DtypeError(f"zeros: dtype is {dtype!r}; expected 'float32' or 'float64'")
    if not isinstance(shape, Sequence):
        raise OptionError(f"zeros: shape must be a tuple of sizes, got {shape!r}")
    sizes = tuple(integer(size, "zeros: shape", 0) for size in shape)
    problem = declared.ArrayProblem(sizes, **numerics(name))
    return call(declared.zeros, problem, device=devices.get(device), algorithm=algorithm)


def channel_sum(
    x: np.ndarray, *, out: np.ndarray | None = None, algorithm: str | None = None
) -> np.ndarray:
    """Sum over every axis but axis 1 (a bias gradient); x (N, C, ...), result (C,).

    The result is ``out`` if that is given: contiguous, and no input. Raises ShapeError or
    DtypeError.
    """
    dtype = float_array("channel_sum", "x", x)
    if x.ndim < 2:
        raise ShapeError(f"channel_sum: x has shape {x.shape}; expected at least 2 dimensions")
    problem = declared.ChannelSumProblem(x.shape, **numerics(dtype))
    return call(declared.channel_sum, problem, x, algorithm=algorithm, out=out)
