"""What every pooling is asked: does the window fit, and does it meet the input."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any

from ..errors import ShapeError
from ..kernels.pool2d.op import Pool2dProblem
from ..shapes import Pair, Shape, padding4, pair, pool_size, require_fit
from ._call import numerics

AXES = ("the height", "the width")


def windows(
    op: str,
    x_shape: Shape,
    dtype: str,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> dict[str, Any]:
    """Every field of a Pool2dProblem, checked."""
    shape = four(op, x_shape)
    kernel = pair(kernel_size, f"{op}: kernel_size")
    strides = kernel if stride is None else pair(stride, f"{op}: stride")
    border, dilations = padding4(padding, f"{op}: padding"), pair(dilation, f"{op}: dilation")
    for axis, name in enumerate(AXES):
        require_fit(op, name, shape[2 + axis], kernel[axis], border[axis], dilations[axis])
    return {
        **dict(zip("nchw", shape, strict=True)),
        "kernel": kernel,
        "stride": strides,
        "padding": border,
        "dilation": dilations,
        "ceil_mode": bool(ceil_mode),
        **numerics(dtype),
    }


def four(op: str, given: Any) -> Shape:
    """``given`` if it is (N, C, H, W) with something in every plane; else ShapeError."""
    shape = tuple(given) if isinstance(given, Sequence) else ()
    if len(shape) != 4 or not all(isinstance(size, Integral) for size in shape):
        raise ShapeError(f"{op}: the input has shape {given!r}; expected 4 dimensions (N, C, H, W)")
    if min(shape[1:]) < 1 or shape[0] < 0:
        raise ShapeError(f"{op}: the input has shape {shape}; only the batch may be empty")
    return shape


def require_real(op: str, problem: Pool2dProblem) -> None:
    """Raise ShapeError if a window holds nothing but padding."""
    for axis, name in enumerate(AXES):
        size, kernel = (problem.h, problem.w)[axis], problem.kernel[axis]
        window = problem.stride[axis], problem.padding[axis], problem.dilation[axis]
        empty = _empty_window(size, kernel, *window, problem.ceil_mode)
        if empty is not None:
            raise ShapeError(
                f"{op}: window {empty} along {name} holds no element of the input, only padding "
                f"(size {size}, kernel_size {kernel}, stride {window[0]}, padding {window[1]}, "
                f"dilation {window[2]}); use less padding or a larger kernel"
            )


@lru_cache(maxsize=1024)
def _empty_window(
    size: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool
) -> int | None:
    """The first window along an axis that meets no element, or None."""
    for out in range(pool_size(size, kernel, stride, padding, dilation, ceil_mode)):
        start = out * stride - padding[0]
        stop = start + dilation * (kernel - 1) + 1
        if not any(0 <= at < size for at in range(start, stop, dilation)):
            return out
    return None
