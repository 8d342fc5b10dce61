"""Layers that move values without arithmetic of their own, or join two."""

from math import prod
from typing import Any

from .. import device as devices
from .. import ops
from ..errors import ShapeError
from ..ops.reshape import axis_of
from ..random import Stream
from ..shapes import Pair, Shape, padding4, pair
from .base import Layer, NeedDx, kept, needed, require_saved, wanted


class Flatten(Layer):
    """(N, C, H, W) as (N, C * H * W): a view, no copy."""

    records = ("train", "inference")
    aliases = True

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The view; keeps the input's shape. Raises DeviceError for what is no array."""
        devices.of(x, "flatten", "x")
        return x.reshape(self.output_shape(x.shape)), (x.shape if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dy in the input's shape."""
        shape = require_saved(self, saved)
        return dy.reshape(shape) if wanted(need_dx) else None

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, product of the rest)."""
        if not shapes[0]:
            raise ShapeError("flatten: input is 0-d; expected a batch")
        return shapes[0][0], prod(shapes[0][1:])


class Add(Layer):
    """a + b, element by element; equal shapes. Joins the two branches of a residual block."""

    records = ("train", "inference")
    formats = "any"

    def forward(
        self,
        a: Any,
        b: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """a + b; keeps nothing."""
        return ops.add(a, b), (() if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dy for both inputs: the same array twice."""
        require_saved(self, saved)
        return tuple(dy if wanted(need_dx, i) else None for i in range(2))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The inputs' shape; raises ShapeError if they differ."""
        a, b = shapes
        if tuple(a) != tuple(b):
            raise ShapeError(f"add: inputs have shapes {tuple(a)} and {tuple(b)}; expected equal")
        return tuple(a)


class Concat(Layer):
    """Joins its inputs along ``axis`` (1: channels)."""

    records = ("train", "inference")

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def forward(
        self,
        *xs: Any,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The joined array; keeps the inputs' sizes along the axis."""
        y = ops.concat(xs, self.axis)
        return y, (tuple(x.shape[self.axis] for x in xs) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dy cut into the inputs' parts."""
        cut = ops.concat_backward(dy, require_saved(self, saved), self.axis)
        parts = tuple(part if wanted(need_dx, i) else None for i, part in enumerate(cut))
        return parts if len(parts) > 1 else parts[0]

    def output_shape(self, *shapes: Shape) -> Shape:
        """Sizes along the axis summed; raises ShapeError if the others differ, or OptionError."""
        axis = axis_of("concat", self.axis, shapes[0])
        rests = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
        if len(rests) > 1:
            listed = " and ".join(str(tuple(s)) for s in shapes)
            raise ShapeError(f"concat: inputs {listed} differ outside axis {self.axis}")
        first = shapes[0]
        return (*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :])


def _four(op: str, shape: Shape) -> Shape:
    if len(shape) != 4:
        raise ShapeError(f"{op}: input has shape {tuple(shape)}; expected (N, C, H, W)")
    return shape


class _Pad(Layer):
    """Zeros around an input (N, C, H, W); ``padding`` holds (before, after) of C, H and W."""

    records = ("train", "inference")
    name = ""

    def __init__(self, *padding: Pair) -> None:
        self.border = padding

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The padded input; keeps nothing."""
        _four(self.name, x.shape)
        y = ops.pad(x, ((0, 0), *self.border))
        return y, (() if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dy without its border."""
        require_saved(self, saved)
        return needed(need_dx, lambda: ops.pad_backward(dy, ((0, 0), *self.border)))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape, larger by the padding; raises ShapeError for another rank."""
        n, *sizes = _four(self.name, shapes[0])
        return n, *(size + sum(both) for size, both in zip(sizes, self.border, strict=True))


class ZeroPad2d(_Pad):
    """A border of zeros around the image; ``padding`` as for Conv2d."""

    name = "zero_pad2d"

    def __init__(self, padding: Any) -> None:
        super().__init__((0, 0), *padding4(padding, "ZeroPad2d: padding"))


class PadChannels(_Pad):
    """Channels of zeros before and after those of the input, as a shortcut takes it to a wider map.

    He, Zhang, Ren and Sun (2016), section 3.3, option A. Shapes: x (N, C, H, W),
    y (N, before + C + after, H, W). Raises OptionError for a negative number.
    """

    name = "pad_channels"

    def __init__(self, before: int, after: int) -> None:
        super().__init__(pair((before, after), "PadChannels: before and after", 0), (0, 0), (0, 0))
