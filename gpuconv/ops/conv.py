"""Convolution and its gradients, as functions."""

from typing import Any

import numpy as np

from ..errors import OptionError, ShapeError
from ..kernels.conv2d import op as declared
from ..problem import KEPT
from ..shapes import Shape, integer, padding4, pair, require_fit
from ._call import call, float_array, numerics


def conv_problem(
    op: str,
    x_shape: Shape,
    weight_shape: Shape,
    dtype: str = "float32",
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    epilogue: str = "",
) -> declared.Conv2dProblem:
    """The problem of these shapes and options; raises ShapeError or OptionError naming ``op``."""
    given = op, x_shape, weight_shape, stride, padding, dilation, groups, epilogue
    numeric = tuple(numerics(dtype).items())
    key = repr(given), numeric  # equal values of other types are not the same: True is no stride
    if key not in _KNOWN:
        if len(_KNOWN) >= KEPT:
            _KNOWN.clear()
        _KNOWN[key] = _problem(*given, dict(numeric))
    return _KNOWN[key]


_KNOWN: dict[tuple, declared.Conv2dProblem] = {}


def _problem(
    op: str,
    x_shape: Shape,
    weight_shape: Shape,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    epilogue: str,
    numeric: dict[str, Any],
) -> declared.Conv2dProblem:
    n, c, h, w = _four(op, "input", x_shape)
    k, cg, r, s = weight_shape = _four(op, "weight", weight_shape)
    groups = integer(groups, f"{op}: groups", 1)
    strides, dilations = pair(stride, f"{op}: stride"), pair(dilation, f"{op}: dilation")
    border = padding4(padding, f"{op}: padding")
    if k % groups:
        raise ShapeError(f"{op}: groups={groups} does not divide the {k} output channels")
    if c != cg * groups:
        raise ShapeError(
            f"{op}: input has {c} channels but weight {weight_shape} with groups={groups} "
            f"expects {cg * groups}"
        )
    require_fit(op, "the height", h, r, border[0], dilations[0])
    require_fit(op, "the width", w, s, border[1], dilations[1])
    options = strides, border, dilations, groups
    return declared.Conv2dProblem(n, c, h, w, k, r, s, *options, **numeric, epilogue=epilogue)


def _four(op: str, what: str, shape: Shape) -> Shape:
    if not isinstance(shape, tuple | list) or len(shape) != 4:
        raise ShapeError(f"{op}: {what} has shape {shape!r}; expected 4 dimensions")
    shape = tuple(integer(size, f"{op}: {what} size", 0) for size in shape)
    least = (0, 1, 1, 1) if what == "input" else (1, 1, 1, 1)
    if any(size < low for size, low in zip(shape, least, strict=True)):
        raise ShapeError(f"{op}: {what} has shape {shape}; only the batch may be empty")
    return shape


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    epilogue: str = "",
    algorithm: str | None = None,
) -> np.ndarray:
    """2-d convolution (cross-correlation), as torch.nn.functional.conv2d.

    Shapes: x (N, C, H, W), w (K, C/groups, R, S), b (K,), result (N, K, P, Q) with
    P = (H + top + bottom - dilation * (R - 1) - 1) // stride + 1. ``padding`` is an int, (h, w) or
    ((top, bottom), (left, right)); ``epilogue`` "relu" fuses max(y, 0). Raises ShapeError,
    OptionError, DtypeError, DeviceError or KernelError.
    """
    dtype = float_array("conv2d", "x", x)
    float_array("conv2d", "weight", w)
    if epilogue not in ("", "relu"):
        raise OptionError(f"conv2d: unknown epilogue {epilogue!r}; expected '' or 'relu'")
    problem = conv_problem(
        "conv2d",
        x.shape,
        w.shape,
        dtype,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        epilogue=epilogue,
    )
    return call(declared.conv2d, problem, x, w, b, algorithm=algorithm)


def conv2d_input(
    dy: np.ndarray,
    w: np.ndarray,
    input_shape: Shape,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of conv2d with respect to its input (a transposed convolution).

    Shapes: dy (N, K, P, Q), w (K, C/groups, R, S), result ``input_shape`` (N, C, H, W). Raises as
    ``conv2d``.
    """
    float_array("conv2d_input", "weight", w)
    problem = conv_problem(
        "conv2d_input",
        input_shape,
        w.shape,
        float_array("conv2d_input", "dy", dy),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return call(declared.conv2d_input, problem, dy, w, algorithm=algorithm)


def conv2d_weight(
    x: np.ndarray,
    dy: np.ndarray,
    weight_shape: Shape,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    out: np.ndarray | None = None,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of conv2d with respect to its weight.

    Shapes: x (N, C, H, W), dy (N, K, P, Q), result ``weight_shape`` (K, C/groups, R, S), which is
    ``out`` if that is given: contiguous, and no input. Raises as ``conv2d``.
    """
    dtype = float_array("conv2d_weight", "x", x)
    problem = conv_problem(
        "conv2d_weight",
        x.shape,
        weight_shape,
        dtype,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return call(declared.conv2d_weight, problem, x, dy, algorithm=algorithm, out=out)
