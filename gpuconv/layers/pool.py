"""Pooling layers."""

from typing import Any

from .. import ops
from ..ops.pool import adaptive_problem, avg_problem, max_problem
from ..random import Stream
from ..shapes import Shape
from .base import Layer, NeedDx, kept, needed, require_saved


class MaxPool2d(Layer):
    """Maximum over windows, as torch.nn.MaxPool2d; the first maximum wins, NaN before all.

    Shapes: x (N, C, H, W), y (N, C, P, Q); keeps the int32 index of every maximum.
    """

    records = ("train", "inference")
    formats = "any"

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.options = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        }

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps the index and the input's shape."""
        y, index = ops.max_pool2d(x, **self.options, return_indices=True)
        return y, ((index, x.shape) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx: dy at every maximum."""
        index, shape = require_saved(self, saved)
        return needed(need_dx, lambda: ops.max_pool2d_backward(dy, index, shape, **self.options))

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, C, P, Q); raises ShapeError if a window does not fit."""
        return max_problem("max_pool2d", shapes[0], "float32", **self.options).spec("y")[0]

    def kept_bytes(self, itemsize: int, *shapes: Shape) -> int:
        """The int32 index."""
        n, c, p, q = self.output_shape(*shapes)
        return 4 * n * c * p * q


class AvgPool2d(Layer):
    """Mean over windows, as torch.nn.AvgPool2d.

    Shapes: x (N, C, H, W), y (N, C, P, Q).
    """

    records = ("train", "inference")
    formats = "any"

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.options = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
        }

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps the input's shape."""
        y = ops.avg_pool2d(x, **self.options)
        return y, (x.shape if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx: dy spread over its window."""
        shape = require_saved(self, saved)
        return needed(need_dx, lambda: ops.avg_pool2d_backward(dy, shape, **self.options))

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, C, P, Q); raises ShapeError if a window does not fit."""
        return avg_problem("avg_pool2d", shapes[0], "float32", **self.options).spec("y")[0]


class AdaptiveAvgPool2d(Layer):
    """Mean over as many bins as ``output_size`` asks for, as torch.nn.AdaptiveAvgPool2d.

    Shapes: x (N, C, H, W), y (N, C, P, Q).
    """

    records = ("train", "inference")
    formats = "any"

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps the input's shape."""
        y = ops.adaptive_avg_pool2d(x, self.output_size)
        return y, (x.shape if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx: dy spread over its bin."""
        shape = require_saved(self, saved)
        return needed(
            need_dx, lambda: ops.adaptive_avg_pool2d_backward(dy, shape, self.output_size)
        )

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, C, P, Q); raises ShapeError unless the input is (N, C, H, W)."""
        problem = adaptive_problem("adaptive_avg_pool2d", shapes[0], "float32", self.output_size)
        return problem.spec("y")[0]
