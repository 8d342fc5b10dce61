"""Checked numbers, and output-size arithmetic of windows (convolution, pooling) in integers."""

import operator
from collections.abc import Sequence
from math import inf, isfinite, nan
from numbers import Real

from .errors import OptionError, ShapeError

Shape = tuple[int, ...]
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
LARGEST = 1 << 30  # of a window's numbers: a kernel's 32-bit index may go one step beyond its axis


def real(value: object, what: str, minimum: float = -inf, maximum: float = inf) -> float:
    """``value`` as a finite float in [minimum, maximum]; raises OptionError naming ``what``."""
    try:
        number = nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:  # an int that no float can hold
        number = inf
    if not (isfinite(number) and minimum <= number <= maximum):
        limits = [f" >= {minimum:g}"] * (minimum > -inf) + [f" <= {maximum:g}"] * (maximum < inf)
        raise OptionError(f"{what} must be a finite number{' and'.join(limits)}, got {value!r}")
    return number


def integer(value: object, what: str, minimum: int, maximum: float = inf) -> int:
    """``value`` as an int in [minimum, maximum]; raises OptionError naming ``what``."""
    if getattr(value, "dtype", None) == "bool":  # which NumPy before 2.3 takes for an index
        raise OptionError(f"{what} must be an integer, got {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise OptionError(f"{what} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or number < minimum:
        raise OptionError(f"{what} must be an integer >= {minimum}, got {value!r}")
    if number > maximum:
        raise OptionError(f"{what} must be an integer <= {maximum}, got {value!r}")
    return number


def pair(value: object, what: str, minimum: int = 1) -> Pair:
    """An int or ``(h, w)`` as ``(h, w)``, at most LARGEST; raises OptionError naming ``what``."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 2:
            raise OptionError(f"{what} must be an int or (h, w), got {value!r}")
        h, w = value
        return integer(h, what, minimum, LARGEST), integer(w, what, minimum, LARGEST)
    number = integer(value, what, minimum, LARGEST)
    return number, number


def padding4(value: object, what: str = "padding") -> Padding:
    """An int, ``(h, w)`` or ``((top, bottom), (left, right))`` as the last form; not negative."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 2:
            raise OptionError(
                f"{what} must be an int, (h, w) or ((top, bottom), (left, right)), got {value!r}"
            )
        return pair(value[0], what, 0), pair(value[1], what, 0)
    both = pair(value, what, 0)
    return both, both


def window_extent(kernel: int, dilation: int) -> int:
    """Elements that a dilated window spans: dilation * (kernel - 1) + 1."""
    return dilation * (kernel - 1) + 1


def conv_size(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> int:
    """Output size of a convolution along one axis; may be <= 0 when the window does not fit."""
    return (size + sum(padding) - window_extent(kernel, dilation)) // stride + 1


def pool_size(
    size: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool
) -> int:
    """Output size of a pooling along one axis.

    With ``ceil_mode`` a last window that starts at or beyond ``size + padding[0]`` is dropped
    (PyTorch's rule, aten/src/ATen/native/Pool.h).
    """
    span = size + sum(padding) - window_extent(kernel, dilation)
    if span < 0 or not ceil_mode:
        return span // stride + 1
    out = -(-span // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding[0] else out


def require_fit(op: str, axis: str, size: int, kernel: int, padding: Pair, dilation: int) -> None:
    """Raise ShapeError unless the dilated window fits into the padded input along one axis."""
    extent = window_extent(kernel, dilation)
    if extent > size + sum(padding):
        raise ShapeError(
            f"{op}: the window spans {extent} elements along {axis} (kernel_size {kernel}, "
            f"dilation {dilation}) but the padded input has {size + sum(padding)} "
            f"({size} + padding {padding[0]} + {padding[1]}); use a larger input, more padding "
            "or a smaller kernel"
        )
