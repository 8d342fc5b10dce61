"""How the channels of a value lie in memory: plane after plane, or in blocks of vectors.

"NCHW" is what users see. "NCHWc8" is (N, blocks, H, W, lanes): a pixel's channels of one block lie
side by side, so that a vector holds them. Its number is the float32 lanes of the CPU's vectors;
``lanes`` follows from it for every number of channels. Lanes beyond the last channel hold 0.

Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD architectures"
(2018), section II.
"""

from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from .shapes import Shape

NCHW, BLOCKED = "NCHW", "NCHWc"
SPARSE = 1.5  # lanes for every channel, from which on channels are not put in blocks


def family(format: str) -> str:
    """ "NCHW" or "NCHWc": what a kernel says it takes."""
    return format.rstrip("0123456789")


def native() -> str:
    """The blocked format of this CPU's vectors."""
    from .cpu import simd

    return f"{BLOCKED}{simd.width()}"


def lanes(channels: int, format: str) -> int:
    """Channels of a block; 1 in NCHW, and where blocks would hold little more than zeros.

    Two vectors where they are short and no more lanes lie idle: each value that a convolution loads
    is then used twice as often. Half of a long one where that holds all channels.
    """
    vector = int(format.removeprefix(BLOCKED)) if format != NCHW else 1
    if vector == 16 and channels <= 8:
        vector = 8
    if vector == 1 or _padded(channels, vector) > SPARSE * channels:
        return 1
    wide = 2 * vector if vector < 16 else vector
    return wide if _padded(channels, wide) <= _padded(channels, vector) else vector


def _padded(count: int, size: int) -> int:
    return ceil(count / size) * size


def shape_in(shape: Shape, format: str) -> Shape:
    """The shape (N, C, ...) of an array in this format: (N, blocks, ..., lanes)."""
    if format == NCHW:
        return shape
    n, c, *rest = shape
    width = lanes(c, format)
    return (n, ceil(c / width), *rest, width)


@dataclass(frozen=True, eq=False)
class Formatted:
    """A value of a graph on its way from layer to layer: ``data`` in a format of (N, C, ...).

    It has no operators: ``ops`` take it, and give it where they were given it.
    """

    data: Any
    shape: Shape
    format: str = NCHW

    @property
    def dtype(self) -> np.dtype:
        """The elements' type."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Dimensions of the value, not of its data."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Elements, idle lanes not counted."""
        return int(np.prod(self.shape, dtype=np.int64))

    def reshape(self, shape: Shape) -> "Formatted":
        """The same data, its plane (H, W) as one axis or as others; N and C stay."""
        if self.format == NCHW:
            return Formatted(self.data.reshape(shape), tuple(shape))
        n, blocks, width = self.data.shape[0], self.data.shape[1], self.data.shape[-1]
        data = self.data.reshape(n, blocks, *shape[2:], width)
        return Formatted(data, tuple(shape), self.format)


def blocked(x: np.ndarray, format: str) -> np.ndarray:
    """A plain array (N, C, ...) in this format; a view where nothing moves."""
    target = shape_in(x.shape, format)
    if _stays(target, x.shape[1]):
        return np.ascontiguousarray(x).reshape(target)
    if x.dtype == np.float32:
        from .cpu import layout, memory

        made = memory.empty(target, x.dtype)
        layout.to_blocks(np.ascontiguousarray(x), made)
        return made
    n, blocks, *rest, width = target
    y = np.zeros((n, blocks * width, *rest), x.dtype)
    y[:, : x.shape[1]] = x
    return np.ascontiguousarray(np.moveaxis(y.reshape(n, blocks, width, *rest), 2, -1))


def _stays(shape: Shape, channels: int) -> bool:
    """Do blocks of this shape lie as planes do? So do full blocks of images of one pixel."""
    blocks, width = shape[1], shape[-1]
    return width == 1 or (blocks * width == channels and prod(shape[2:-1]) == 1)


def plain(x: np.ndarray, channels: int) -> np.ndarray:
    """An array (N, blocks, ..., lanes) as (N, channels, ...); a view where nothing moves."""
    n, blocks, width, rest = x.shape[0], x.shape[1], x.shape[-1], x.shape[2:-1]
    if _stays(x.shape, channels):
        return np.ascontiguousarray(x).reshape(n, channels, *rest)
    if x.dtype == np.float32:
        from .cpu import layout, memory

        made = memory.empty((n, channels, *rest), x.dtype)
        layout.to_planes(np.ascontiguousarray(x), made)
        return made
    y = np.moveaxis(x, -1, 2).reshape(n, blocks * width, *rest)
    return np.ascontiguousarray(y[:, :channels])
