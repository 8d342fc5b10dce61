"""Convolutions that are a Conv2d seen otherwise: transposed, and along one axis."""

from typing import Any

from .. import device as devices
from .. import ops
from ..errors import OptionError, ShapeError
from ..kernels.conv2d import op as declared
from ..ops.conv import conv_problem
from ..random import Stream
from ..shapes import Shape, integer, padding4, pair, window_extent
from .base import Layer, NeedDx, kept, needed, require_saved
from .conv import Conv2d
from .init import Constant, Init, Kaiming
from .parameter import Parameter


def _ranked(op: str, x: Any, axes: str) -> Any:
    devices.of(x, op, "x")
    _require_rank(op, x.shape, axes)
    return x


def _require_rank(op: str, shape: Shape, axes: str) -> None:
    if len(shape) != axes.count(",") + 1:
        raise ShapeError(f"{op}: input has shape {tuple(shape)}; expected {axes}")


class ConvTranspose2d(Layer):
    """The data gradient of a Conv2d as a layer of its own, as torch.nn.ConvTranspose2d.

    Shapes: x (N, C, H, W), weight (C, K/groups, R, S), bias (K,), y (N, K, P, Q) with
    P = (H - 1) stride - top - bottom + dilation (R - 1) + output_padding + 1. ``padding`` as for
    Conv2d. Raises OptionError on bad sizes: output_padding must be smaller than the stride.
    """

    keeps = ("x",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        *,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        name = "ConvTranspose2d"
        c = integer(in_channels, f"{name}: in_channels", 1)
        k = integer(out_channels, f"{name}: out_channels", 1)
        groups = integer(groups, f"{name}: groups", 1)
        if c % groups or k % groups:
            raise OptionError(f"{name}: groups={groups} must divide {c} input and {k} outputs")
        self.options: dict[str, Any] = {
            "stride": pair(stride, f"{name}: stride"),
            "padding": padding4(padding, f"{name}: padding"),
            "dilation": pair(dilation, f"{name}: dilation"),
            "groups": groups,
        }
        self.output_padding = pair(output_padding, f"{name}: output_padding", 0)
        sides = zip(self.output_padding, self.options["stride"], strict=True)
        if any(more >= step for more, step in sides):
            raise OptionError(
                f"{name}: output_padding {self.output_padding} must be smaller than the stride "
                f"{self.options['stride']}"
            )
        shape = (c, k // groups, *pair(kernel_size, f"{name}: kernel_size"))
        self.weight = Parameter.lazy(shape, weight_init or Kaiming(mode="fan_out"))
        self.bias = Parameter.lazy((k,), bias_init or Constant(0.0)) if bias else None

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps x."""
        _ranked("conv_transpose2d", x, "(N, C, H, W)")
        y = ops.conv2d_input(x, self.weight.value, self.output_shape(x.shape), **self.options)
        if self.bias is not None:
            y = _biased(y, self.bias.value)
        return y, (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds into the gradients of weight and bias; returns dx, a convolution of dy."""
        x, weight = require_saved(self, saved), self.weight.value
        if self.weight.trainable:
            self.weight.add_grad(ops.conv2d_weight(dy, x, weight.shape, **self.options))
        if self.bias is not None and self.bias.trainable:
            self.bias.add_grad(ops.channel_sum(dy))
        return needed(need_dx, lambda: ops.conv2d(dy, weight, **self.options))

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, K, P, Q); raises ShapeError for another rank, number of channels, or no output."""
        _require_rank("conv_transpose2d", shapes[0], "(N, C, H, W)")
        n, c, *sizes = shapes[0]
        channels, kg, *window = self.weight.shape
        if c != channels:
            raise ShapeError(f"conv_transpose2d: input has {c} channels, expected {channels}")
        stride, padding, dilation = (self.options[k] for k in ("stride", "padding", "dilation"))
        made = tuple(
            (sizes[i] - 1) * stride[i]
            - sum(padding[i])
            + window_extent(window[i], dilation[i])
            + self.output_padding[i]
            for i in range(2)
        )
        if min(made) < 1:
            raise ShapeError(f"conv_transpose2d: input {tuple(shapes[0])} gives an image {made}")
        return n, kg * self.options["groups"], *made

    def flops(self, *shapes: Shape) -> int:
        """2 N C H W R S K / groups."""
        made = self.output_shape(*shapes)
        problem = conv_problem("conv2d_input", made, self.weight.shape, **self.options)
        return declared.conv2d_input.flops(problem)


def _biased(y: Any, bias: Any) -> Any:
    """y + bias, rounded once: every channel is multiplied by one on the way."""
    ones = ops.zeros((len(bias), 1, 1, 1), bias.dtype.name, devices.of(bias))
    ones[...] = 1
    return ops.conv2d(y, ones, bias, groups=len(bias))


class Conv1d(Conv2d):
    """1-d convolution (cross-correlation), as torch.nn.Conv1d: a Conv2d of height 1.

    Shapes: x (N, C, L), weight (K, C/groups, R), y (N, K, Q). ``padding`` may differ at both ends:
    (before, after). Raises OptionError on bad sizes.
    """

    keeps = ("x",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Any = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        algorithm: str | dict[str, str] | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        ends = pair(padding, "Conv1d: padding", 0)
        sizes = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation}
        flat: dict[str, Any] = {
            key: (1, integer(n, f"Conv1d: {key}", 1)) for key, n in sizes.items()
        }
        super().__init__(
            in_channels,
            out_channels,
            padding=((0, 0), ends),
            groups=groups,
            bias=bias,
            algorithm=algorithm,
            bias_init=bias_init,
            **flat,
        )
        k, cg, _, r = self.weight.shape
        self.weight = Parameter.lazy((k, cg, r), weight_init or Kaiming())

    def _weight(self) -> Any:
        return self.weight.value.reshape(self._shape())

    def _gradient_place(self) -> None:
        return None  # the op's gradient has four dimensions

    def _add_weight_grad(self, gradient: Any) -> None:
        self.weight.add_grad(gradient.reshape(self.weight.shape))

    def _shape(self) -> Shape:
        k, cg, r = self.weight.shape
        return k, cg, 1, r

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
        epilogue: str = "",
    ) -> tuple[Any, Any]:
        """y = x * weight + bias, then the epilogue; keeps x."""
        flat = _high(_ranked("conv1d", x, "(N, C, L)"))
        y, _ = super().forward(flat, keep=False, epilogue=epilogue)
        return y.reshape(self.output_shape(x.shape)), (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds into the gradients of weight and bias; returns dx."""
        x = require_saved(self, saved)
        dx = super().backward(_high(dy), _high(x), need_dx)
        return None if dx is None else dx.reshape(x.shape)

    def _problem(self, shape: Shape) -> declared.Conv2dProblem:
        _require_rank("conv1d", shape, "(N, C, L)")
        n, c, length = shape
        return super()._problem((n, c, 1, length))

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, K, Q); raises ShapeError for another rank, or if the window does not fit."""
        n, k, _, q = super().output_shape(*shapes)
        return n, k, q


def _high(x: Any) -> Any:
    """(N, C, L) as (N, C, 1, L): a view."""
    n, c, length = x.shape
    return x.reshape(n, c, 1, length)
