"""Convolution without shared weights."""

from collections.abc import Iterator
from typing import Any

from .. import device as devices
from .. import ops
from ..errors import ShapeError
from ..random import Stream
from ..shapes import Shape, integer, pair
from .base import Layer, NeedDx, kept, require_saved, wanted
from .init import Constant, Init, Kaiming
from .parameter import Parameter

Place = tuple[tuple[int, int], tuple[slice, slice]]


class LocallyConnected2d(Layer):
    """Convolution with filters and biases of its own at every position, stride 1.

    One matrix product for each position: cuda-convnet's layer "local" (Krizhevsky 2011). Shapes:
    x (N, C, H, W) with (H, W) = ``input_size``, weight (P, Q, K, C R S), bias (P, Q, K),
    y (N, K, P, Q). Raises OptionError on bad sizes, ShapeError for a window that does not fit.
    """

    keeps = ("x",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Any,
        kernel_size: Any,
        padding: Any = 0,
        *,
        weight_init: Init | None = None,
    ) -> None:
        c = integer(in_channels, "LocallyConnected2d: in_channels", 1)
        k = integer(out_channels, "LocallyConnected2d: out_channels", 1)
        self.size = pair(input_size, "LocallyConnected2d: input_size")
        self.window = r, s = pair(kernel_size, "LocallyConnected2d: kernel_size")
        self.padding = pair(padding, "LocallyConnected2d: padding", 0)
        sides = zip(self.size, self.window, self.padding, strict=True)
        p, q = (side + 2 * border - window + 1 for side, window, border in sides)
        if min(p, q) < 1:
            raise ShapeError(
                f"locally_connected2d: the window {self.window} does not fit into an input of "
                f"{self.size} with padding {self.padding}"
            )
        self.shape = c, k, p, q
        self.weight = Parameter.lazy((p, q, k, c * r * s), weight_init or Kaiming())
        self.bias = Parameter.lazy((p, q, k), Constant(0.0))

    @property
    def _border(self) -> tuple[tuple[int, int], ...]:
        (h, w) = self.padding
        return (0, 0), (0, 0), (h, h), (w, w)

    def _places(self) -> Iterator[Place]:
        """Every position, with the window that it sees in the padded input."""
        (r, s), (_, _, p, q) = self.window, self.shape
        for i in range(p):
            for j in range(q):
                yield (i, j), (slice(i, i + r), slice(j, j + s))

    def _rows(self, padded: Any, window: tuple[slice, slice]) -> Any:
        return ops.copy(padded[:, :, *window]).reshape(len(padded), self.weight.shape[-1])

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
        devices.of(x, "locally_connected2d", "x")
        y = ops.zeros(self.output_shape(x.shape), x.dtype.name, devices.of(x))
        padded, weight, bias = ops.pad(x, self._border), self.weight.value, self.bias.value
        for at, window in self._places():
            y[:, :, *at] = ops.linear(self._rows(padded, window), weight[at], bias[at])
        return y, (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds every position's gradients; returns dx, the windows' added up in their order."""
        x = require_saved(self, saved)
        padded, weight, here = ops.pad(x, self._border), self.weight.value, devices.of(x)
        dw = ops.zeros(self.weight.shape, dy.dtype.name, here)
        db = ops.zeros(self.bias.shape, dy.dtype.name, here)
        dx = ops.zeros(padded.shape, dy.dtype.name, here)
        for at, window in self._places():
            own = ops.copy(dy[:, :, *at])
            dw[at] = ops.linear_weight(self._rows(padded, window), own)
            db[at] = ops.channel_sum(own)
            if wanted(need_dx):
                before = ops.copy(dx[:, :, *window])
                part = ops.linear_input(own, weight[at]).reshape(before.shape)
                dx[:, :, *window] = ops.add(before, part)
        for parameter, gradient in ((self.weight, dw), (self.bias, db)):
            if parameter.trainable:
                parameter.add_grad(gradient)
        return ops.pad_backward(dx, self._border) if wanted(need_dx) else None

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, K, P, Q); raises ShapeError unless x is (N, C, *input_size)."""
        c, k, p, q = self.shape
        if len(shapes[0]) != 4 or tuple(shapes[0][1:]) != (c, *self.size):
            raise ShapeError(
                f"locally_connected2d: input has shape {tuple(shapes[0])}, expected "
                f"(N, {c}, {self.size[0]}, {self.size[1]})"
            )
        return shapes[0][0], k, p, q

    def flops(self, *shapes: Shape) -> int:
        """2 N P Q K C R S."""
        return 2 * shapes[0][0] * self.weight.size
