"""Layers that only LeNet-5 of 1998 has: a convolution by table, and fixed output codes."""

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any

import numpy as np

from .. import device as devices
from .. import ops
from ..errors import OptionError, ShapeError
from ..random import Stream
from ..shapes import Shape
from .base import Layer, NeedDx, kept, needed, require_saved
from .conv import Conv2d
from .init import Init, Normal
from .parameter import Buffer, Parameter

# LeCun et al. 1998, table I: the maps of S2 that each map of C3 sees.
LENET5_TABLE = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)


class TableConv2d(Conv2d):
    """Convolution in which output map k sees only the input maps ``table[k]``.

    LeCun, Bottou, Bengio and Haffner (1998), section II.B, table I. Shapes: x (N, C, H, W),
    weight (connections, R, S), y (N, len(table), P, Q). Raises OptionError for a bad table.
    """

    head = ()  # its weights have a row for each link

    def __init__(
        self,
        in_channels: int,
        table: Sequence[Sequence[int]],
        kernel_size: Any,
        *,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__(in_channels, len(table), kernel_size, bias_init=bias_init)
        self.links = [(k, int(c)) for k, maps in enumerate(table) for c in maps]
        if any(not 0 <= c < in_channels for _, c in self.links):
            raise OptionError(f"TableConv2d: table {table!r} names maps beyond {in_channels}")
        if any(len(set(maps)) < max(len(maps), 1) for maps in table):
            raise OptionError(f"TableConv2d: table {table!r} has an empty row or names a map twice")
        self.dense_shape = self.weight.shape
        shape = (len(self.links), *self.dense_shape[2:])
        kaiming = Normal(sqrt(2 * len(table) / prod(shape)))  # fan in: the mean over the outputs
        self.weight = Parameter.lazy(shape, weight_init or kaiming)

    def _weight(self) -> Any:
        links = self.weight.value
        dense = ops.zeros(self.dense_shape, links.dtype.name, devices.of(links))
        for number, link in enumerate(self.links):
            dense[link] = links[number]
        return dense

    def _gradient_place(self) -> None:
        return None  # the op's gradient is the dense one

    def _add_weight_grad(self, gradient: Any) -> None:
        links = ops.zeros(self.weight.shape, gradient.dtype.name, devices.of(gradient))
        for number, link in enumerate(self.links):
            links[number] = gradient[link]
        self.weight.add_grad(links)

    def _shape(self) -> Shape:
        return self.dense_shape


class RBF(Layer):
    """Distance to one fixed code of -1 and +1 per class (LeCun et al. 1998, section II.B, RBF).

    Gives -|x - code|^2 / 2 up to a term that all classes share, which softmax does not see: the
    product x . code. The paper allows codes chosen at random; so are these. Shapes: x (N, F),
    y (N, classes). Nothing is trained.
    """

    def __init__(self, features: int, classes: int) -> None:
        signs = Stream(0).uniform((classes, features)) < 0.5
        self.code = Buffer(np.where(signs, np.float32(-1), np.float32(1)))

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """x . code; keeps nothing."""
        return ops.linear(x, self.code.value), (() if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx = dy @ code."""
        require_saved(self, saved)
        return needed(need_dx, lambda: ops.linear_input(dy, self.code.value))

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, classes); raises ShapeError unless x is (N, F)."""
        classes, features = self.code.shape
        if len(shapes[0]) != 2 or shapes[0][1] != features:
            raise ShapeError(f"rbf: input has shape {shapes[0]}, expected (N, {features})")
        return shapes[0][0], classes

    def flops(self, *shapes: Shape) -> int:
        """2 N F classes."""
        return 2 * shapes[0][0] * self.code.size
