"""Layers that only ONNX models need."""

from math import prod
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import ShapeError
from ..layers.base import Layer, NeedDx, kept, require_saved, wanted
from ..random import Stream
from ..shapes import Shape


class Reshape(Layer):
    """x in another shape: 0 copies the input's size there, -1 is what remains (ONNX Reshape)."""

    aliases = True

    def __init__(self, shape: Shape, is_zero_copied: bool = True) -> None:
        self.target, self.is_zero_copied = tuple(shape), is_zero_copied

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The view; keeps the input's shape."""
        devices.of(x, "reshape", "x")
        return x.reshape(self.output_shape(x.shape)), (x.shape if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dy in the input's shape."""
        shape = require_saved(self, saved)
        return dy.reshape(shape) if wanted(need_dx) else None

    def output_shape(self, *shapes: Shape) -> Shape:
        """The new shape; raises ShapeError if the elements do not fill it."""
        (shape,), sizes = shapes, list(self.target)
        for axis, size in enumerate(sizes):
            if size == 0 and self.is_zero_copied and axis < len(shape):
                sizes[axis] = shape[axis]
        if -1 in sizes:
            rest = prod(size for size in sizes if size != -1)
            sizes[sizes.index(-1)] = prod(shape) // rest if rest else 0
        if min(sizes, default=0) < 0 or prod(sizes) != prod(shape):
            raise ShapeError(f"reshape: input {tuple(shape)} does not fill {self.target}")
        return tuple(sizes)


class Along1d(Layer):
    """A layer of images applied to (N, C, L), as images of height 1."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The layer's output without its height; keeps what the layer keeps."""
        devices.of(x, "pool1d", "x")
        shape = self.output_shape(x.shape)
        y, saved = self.layer.forward(
            x.reshape(_high(x.shape)), train=train, keep=keep, update=update, rng=rng
        )
        return y.reshape(shape), ((saved, x.shape) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx of the layer, without its height."""
        state, shape = require_saved(self, saved)
        dx = self.layer.backward(dy.reshape(_high(dy.shape)), state, need_dx)
        return None if dx is None else dx.reshape(shape)

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, K, Q); raises ShapeError for another rank."""
        n, k, _, q = self.layer.output_shape(_high(shapes[0]))
        return n, k, q


def _high(shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ShapeError(f"pool1d: input has shape {tuple(shape)}; expected (N, C, L)")
    n, c, length = shape
    return n, c, 1, length


def owned(values: np.ndarray) -> np.ndarray:
    """A contiguous, writable copy in the machine's byte order."""
    return np.array(values, values.dtype.newbyteorder("="), order="C")
