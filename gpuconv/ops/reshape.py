"""Joining, cutting and padding arrays, as functions."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import DeviceError, DtypeError, OptionError, ShapeError
from ..kernels.concat import op as _concat
from ..kernels.pad import op as _pad
from ..shapes import Pair, Shape, integer, pair
from ._call import call, float_array, numerics


def axis_of(op: str, axis: int, shape: Shape) -> int:
    """``axis`` counted from 0; raises OptionError unless an array of this shape has it."""
    number = integer(axis, f"{op}: axis", -len(shape))
    if number >= len(shape):
        raise OptionError(f"{op}: axis {axis} is out of range for an array of shape {shape}")
    return number % len(shape)


def _require_alike(number: int, array: np.ndarray, first: np.ndarray, axis: int) -> None:
    what = f"concat: arrays[{number}]"
    if devices.of(array) != devices.of(first):
        raise DeviceError(f"{what} is on {devices.of(array)}, arrays[0] on {devices.of(first)}")
    if array.dtype != first.dtype:
        raise DtypeError(
            f"{what} is {array.dtype}, expected {first.dtype} as arrays[0] has it "
            f"(convert it with astype('{first.dtype}'))"
        )
    ends = [(*a.shape[:axis], *a.shape[axis + 1 :]) for a in (array, first)]
    if array.ndim != first.ndim or ends[0] != ends[1]:
        raise ShapeError(
            f"{what} has shape {array.shape}; expected that of arrays[0], {first.shape}, but for "
            f"axis {axis}"
        )


def concat(
    arrays: Sequence[np.ndarray], axis: int = 1, *, algorithm: str | None = None
) -> np.ndarray:
    """The arrays joined along ``axis``, as torch.cat; one call of the op ``concat`` for each.

    Shapes: equal but for ``axis``, at least one dimension. Raises OptionError, ShapeError,
    DtypeError or DeviceError before anything is copied.
    """
    if not isinstance(arrays, Sequence):
        raise OptionError(f"concat: expected a list of arrays, got a {type(arrays).__name__}")
    if not arrays:
        raise OptionError("concat: got no arrays; expected at least one")
    dtypes = [float_array("concat", f"arrays[{i}]", array) for i, array in enumerate(arrays)]
    first = arrays[0]
    if first.ndim == 0:
        raise ShapeError("concat: arrays[0] has shape (); expected at least one dimension")
    at = axis_of("concat", axis, first.shape)
    for number, array in enumerate(arrays):
        _require_alike(number, array, first, at)
    total, offset = sum(array.shape[at] for array in arrays), 0
    shape = (*first.shape[:at], total, *first.shape[at + 1 :])
    joined = devices.empty(shape, dtypes[0], devices.of(first))
    for array in arrays:
        problem = _concat.ConcatProblem(array.shape, at, offset, total, **numerics(dtypes[0]))
        call(_concat.concat, problem, array, updates=(joined,), algorithm=algorithm)
        offset += array.shape[at]
    return joined


def concat_backward(
    dy: np.ndarray, sizes: Sequence[int], axis: int = 1, *, algorithm: str | None = None
) -> tuple[np.ndarray, ...]:
    """Gradients of concat: dy cut along ``axis`` into new arrays of these ``sizes``.

    Shapes: dy any with at least one dimension; the sizes add up to its ``axis``, else ShapeError.
    Raises OptionError, DtypeError or DeviceError.
    """
    dtype = float_array("concat_backward", "dy", dy)
    if dy.ndim == 0:
        raise ShapeError("concat_backward: dy has shape (); expected at least one dimension")
    at, total = axis_of("concat_backward", axis, dy.shape), dy.shape[axis]
    if not isinstance(sizes, Sequence):
        raise OptionError(f"concat_backward: sizes must be a list of integers, got {sizes!r}")
    parts = [integer(size, "concat_backward: sizes", 0) for size in sizes]
    if sum(parts) != total:
        raise ShapeError(
            f"concat_backward: sizes {tuple(parts)} add up to {sum(parts)}, but dy {dy.shape} has "
            f"{total} along axis {axis}"
        )
    cut, offset = [], 0
    for size in parts:
        shape = (*dy.shape[:at], size, *dy.shape[at + 1 :])
        problem = _concat.ConcatProblem(shape, at, offset, total, **numerics(dtype))
        cut.append(call(_concat.concat_backward, problem, dy, algorithm=algorithm))
        offset += size
    return tuple(cut)


def _pairs(op: str, padding: Sequence[Pair], ndim: int) -> tuple[Pair, ...]:
    listed = isinstance(padding, Sequence) and not isinstance(padding, str)
    if not listed or len(padding) != ndim or any(isinstance(p, int) for p in padding):
        raise OptionError(
            f"{op}: padding must be one (before, after) for each of {ndim} axes, got {padding!r}"
        )
    return tuple(pair(both, f"{op}: padding", 0) for both in padding)


def pad(
    x: np.ndarray, padding: Sequence[Pair], value: float = 0.0, *, algorithm: str | None = None
) -> np.ndarray:
    """``x`` with a border of ``value``, as numpy.pad(x, padding, constant_values=value).

    ``padding`` holds (before, after) for every axis, first axis first, not negative. Shapes: x any,
    result larger by the padding. Raises OptionError, DtypeError or DeviceError.
    """
    numeric = numerics(float_array("pad", "x", x))
    given: Any = value
    if not isinstance(given, Real):
        raise OptionError(f"pad: value must be a number, got {given!r}")
    problem = _pad.PadProblem(x.shape, _pairs("pad", padding, x.ndim), float(value), **numeric)
    return call(_pad.pad, problem, x, algorithm=algorithm)


def pad_backward(
    dy: np.ndarray, padding: Sequence[Pair], *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of pad: dy without its border, in a new array.

    Shapes: dy as the result of ``pad``, result smaller by the padding, else ShapeError. Raises what
    ``pad`` raises.
    """
    numeric = numerics(float_array("pad_backward", "dy", dy))
    border = _pairs("pad_backward", padding, dy.ndim)
    shape = tuple(size - sum(both) for size, both in zip(dy.shape, border, strict=True))
    if min(shape, default=0) < 0:
        raise ShapeError(f"pad_backward: dy {dy.shape} is smaller than its padding {border}")
    problem = _pad.PadProblem(shape, border, **numeric)
    return call(_pad.pad_backward, problem, dy, algorithm=algorithm)
