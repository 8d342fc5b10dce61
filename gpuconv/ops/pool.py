"""Pooling and its gradients, as functions."""

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..kernels.adaptive_pool2d import op as adaptive
from ..kernels.pool2d import op as declared
from ..shapes import Shape, pair
from ._call import call, float_array, numerics
from ._pool import four, require_real, windows


def max_problem(
    op: str,
    x_shape: Shape,
    dtype: str,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> declared.Pool2dProblem:
    """The problem of a max pooling; raises ShapeError or OptionError naming ``op``."""
    fields = windows(op, x_shape, dtype, kernel_size, stride, padding, dilation, ceil_mode)
    problem = declared.Pool2dProblem(**fields)
    height, width = problem.h + sum(problem.padding[0]), problem.w + sum(problem.padding[1])
    if height * width >= 2**31:
        raise ShapeError(
            f"{op}: a padded plane of {height} x {width} elements is more than the int32 index "
            "reaches; pool it in parts"
        )
    require_real(op, problem)
    return problem


def max_pool2d(
    x: np.ndarray,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    algorithm: str | None = None,
) -> Any:
    """2-d max pooling, as torch.nn.functional.max_pool2d: the first maximum wins, NaN before all.

    Shapes: x (N, C, H, W), result (N, C, P, Q) with P as ``shapes.pool_size`` says; with
    ``return_indices`` also the index (N, C, P, Q) of each maximum, int32, flat in the H * W plane.
    ``stride`` is ``kernel_size`` unless given; ``padding`` is an int, (h, w) or ((top, bottom),
    (left, right)) and never wins. Raises ShapeError, also for a window of nothing but padding,
    OptionError, DtypeError, DeviceError or KernelError.
    """
    dtype = float_array("max_pool2d", "x", x, 4)
    window = kernel_size, stride, padding, dilation, ceil_mode
    problem = max_problem("max_pool2d", x.shape, dtype, *window)
    y, index = call(declared.max_pool2d, problem, x, algorithm=algorithm)
    return (y, index) if return_indices else y


def max_pool2d_backward(
    dy: np.ndarray,
    index: np.ndarray,
    input_shape: Shape,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of max_pool2d: dy goes to each window's maximum; what overlaps is summed.

    Shapes: dy and index (N, C, P, Q), result ``input_shape`` (N, C, H, W). An index outside its
    window counts for nothing. Raises as ``max_pool2d``.
    """
    op = "max_pool2d_backward"
    dtype = float_array(op, "dy", dy, 4)
    problem = max_problem(op, input_shape, dtype, kernel_size, stride, padding, dilation, ceil_mode)
    return call(declared.max_pool2d_backward, problem, dy, index, algorithm=algorithm)


def avg_problem(
    op: str,
    x_shape: Shape,
    dtype: str,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> declared.AvgPool2dProblem:
    """The problem of an average pooling; raises ShapeError or OptionError naming ``op``."""
    fields = windows(op, x_shape, dtype, kernel_size, stride, padding, 1, ceil_mode)
    counted = bool(count_include_pad)
    problem = declared.AvgPool2dProblem(**fields, count_include_pad=counted)
    if not counted:
        require_real(op, problem)
    return problem


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """2-d average pooling, as torch.nn.functional.avg_pool2d.

    Shapes: x (N, C, H, W), result (N, C, P, Q) with P as ``shapes.pool_size`` says. The sum of a
    window is divided by its size, without what ``ceil_mode`` lets hang over the padding, and with
    ``count_include_pad`` False without the padding too. Raises as ``max_pool2d``; a window of
    nothing but padding is refused only where padding does not count.
    """
    dtype = float_array("avg_pool2d", "x", x, 4)
    window = kernel_size, stride, padding, ceil_mode, count_include_pad
    problem = avg_problem("avg_pool2d", x.shape, dtype, *window)
    return call(declared.avg_pool2d, problem, x, algorithm=algorithm)


def avg_pool2d_backward(
    dy: np.ndarray,
    input_shape: Shape,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of avg_pool2d: dy / divisor to every element of the window.

    Shapes: dy (N, C, P, Q), result ``input_shape`` (N, C, H, W). Raises as ``avg_pool2d``.
    """
    op = "avg_pool2d_backward"
    dtype = float_array(op, "dy", dy, 4)
    window = kernel_size, stride, padding, ceil_mode, count_include_pad
    problem = avg_problem(op, input_shape, dtype, *window)
    return call(declared.avg_pool2d_backward, problem, dy, algorithm=algorithm)


def global_avg_pool2d(x: np.ndarray) -> np.ndarray:
    """Mean of every plane, as torch.nn.functional.avg_pool2d with the plane as window.

    Shapes: x (N, C, H, W), result (N, C, 1, 1). Raises as ``avg_pool2d``.
    """
    float_array("global_avg_pool2d", "x", x, 4)
    return avg_pool2d(x, x.shape[2:])


def global_avg_pool2d_backward(dy: np.ndarray, input_shape: Shape) -> np.ndarray:
    """Gradient of global_avg_pool2d: dy / (H * W) everywhere.

    Shapes: dy (N, C, 1, 1), result ``input_shape`` (N, C, H, W). Raises as ``avg_pool2d``.
    """
    window = four("global_avg_pool2d_backward", input_shape)[2:]
    return avg_pool2d_backward(dy, input_shape, window)


def global_max_pool2d(x: np.ndarray, return_indices: bool = False) -> Any:
    """Maximum of every plane, as torch.nn.functional.max_pool2d with the plane as window.

    Shapes: x (N, C, H, W), result (N, C, 1, 1), with ``return_indices`` also the index. Raises as
    ``max_pool2d``.
    """
    float_array("global_max_pool2d", "x", x, 4)
    return max_pool2d(x, x.shape[2:], return_indices=return_indices)


def global_max_pool2d_backward(dy: np.ndarray, index: np.ndarray, input_shape: Shape) -> np.ndarray:
    """Gradient of global_max_pool2d: dy at the maximum.

    Shapes: dy and index (N, C, 1, 1), result ``input_shape`` (N, C, H, W). Raises as
    ``max_pool2d``.
    """
    window = four("global_max_pool2d_backward", input_shape)[2:]
    return max_pool2d_backward(dy, index, input_shape, window)


def adaptive_problem(
    op: str, x_shape: Shape, dtype: str, output_size: Any
) -> adaptive.AdaptivePool2dProblem:
    """The problem of an adaptive pooling; raises ShapeError or OptionError naming ``op``."""
    n, c, h, w = four(op, x_shape)
    if isinstance(output_size, list | tuple) and len(output_size) == 2:
        wanted = tuple(output_size)
    else:
        wanted = (output_size, output_size)
    given = tuple(s if o is None else o for o, s in zip(wanted, (h, w), strict=True))
    p, q = pair(given, f"{op}: output_size")
    return adaptive.AdaptivePool2dProblem(n, c, h, w, p, q, **numerics(dtype))


def adaptive_avg_pool2d(
    x: np.ndarray, output_size: Any, *, algorithm: str | None = None
) -> np.ndarray:
    """Means over as many bins as asked for, as torch.nn.functional.adaptive_avg_pool2d.

    Bin i of P along the height is floor(i H / P) .. ceil((i + 1) H / P) - 1. Shapes: x (N, C, H,
    W), result (N, C, P, Q) with ``output_size`` P or (P, Q), None for the input's size. Raises
    ShapeError, OptionError, DtypeError, DeviceError or KernelError.
    """
    dtype = float_array("adaptive_avg_pool2d", "x", x, 4)
    problem = adaptive_problem("adaptive_avg_pool2d", x.shape, dtype, output_size)
    return call(adaptive.adaptive_avg_pool2d, problem, x, algorithm=algorithm)


def adaptive_avg_pool2d_backward(
    dy: np.ndarray, input_shape: Shape, output_size: Any, *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of adaptive_avg_pool2d: dy / size to every element of the bin.

    Shapes: dy (N, C, P, Q), result ``input_shape`` (N, C, H, W). Raises as
    ``adaptive_avg_pool2d``.
    """
    op = "adaptive_avg_pool2d_backward"
    problem = adaptive_problem(op, input_shape, float_array(op, "dy", dy, 4), output_size)
    return call(adaptive.adaptive_avg_pool2d_backward, problem, dy, algorithm=algorithm)
