"""What a pooling is given, checked and made into its problem."""

from functools import lru_cache
from typing import Any

from gpuconv.kernels.adaptive_pool2d.op import AdaptivePool2dProblem
from gpuconv.kernels.pool2d.op import AvgPool2dProblem, Pool2dProblem

from ..errors import ShapeError
from ..shapes import Pair, Shape, padding4, pair, pool_size, require_fit
from ._call import numerics

AXES = ("the height", "the width")


def max_problem(
    op: str,
    x_shape: Shape,
    dtype: str,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Pool2dProblem:
    """The problem of a max pooling; raises ShapeError or OptionError naming ``op``."""
    sizes = _windows(op, x_shape, kernel_size, stride, padding, dilation, ceil_mode)
    problem = Pool2dProblem(*sizes, **numerics(dtype))
    height, width = problem.h + sum(problem.padding[0]), problem.w + sum(problem.padding[1])
    if height * width >= 2**31:
        raise ShapeError(
            f"{op}: a padded plane of {height} x {width} elements is more than the int32 index "
            "reaches; pool it in parts"
        )
    _require_real(op, problem)
    return problem


def avg_problem(
    op: str,
    x_shape: Shape,
    dtype: str,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AvgPool2dProblem:
    """The problem of an average pooling; raises ShapeError or OptionError naming ``op``."""
    sizes = _windows(op, x_shape, kernel_size, stride, padding, 1, ceil_mode)
    counted = bool(count_include_pad)
    problem = AvgPool2dProblem(*sizes, count_include_pad=counted, **numerics(dtype))
    if not counted:
        _require_real(op, problem)
    return problem


def adaptive_problem(
    op: str, x_shape: Shape, dtype: str, output_size: Any
) -> AdaptivePool2dProblem:
    """The problem of an adaptive pooling; raises ShapeError or OptionError naming ``op``."""
    shape = _four(op, tuple(x_shape))
    if isinstance(output_size, list | tuple) and len(output_size) == 2:
        wanted = tuple(output_size)
    else:
        wanted = (output_size, output_size)
    given = tuple(s if o is None else o for o, s in zip(wanted, shape[2:], strict=True))
    return AdaptivePool2dProblem(*shape, *pair(given, f"{op}: output_size"), **numerics(dtype))


def _windows(
    op: str,
    x_shape: Shape,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple:
    """Every field of a Pool2dProblem in order, checked."""
    shape = _four(op, tuple(x_shape))
    kernel = pair(kernel_size, f"{op}: kernel_size")
    strides = kernel if stride is None else pair(stride, f"{op}: stride")
    border, dilations = padding4(padding, f"{op}: padding"), pair(dilation, f"{op}: dilation")
    for axis, name in enumerate(AXES):
        require_fit(op, name, shape[2 + axis], kernel[axis], border[axis], dilations[axis])
    return *shape, kernel, strides, border, dilations, bool(ceil_mode)


def _four(op: str, shape: Shape) -> Shape:
    if len(shape) != 4:
        raise ShapeError(f"{op}: the input has shape {shape}; expected 4 dimensions (N, C, H, W)")
    if min(shape[1:]) < 1 or shape[0] < 0:
        raise ShapeError(f"{op}: the input has shape {shape}; only the batch may be empty")
    return shape


def _require_real(op: str, problem: Pool2dProblem) -> None:
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
