"""The input that a net takes, and making images of any size and channel count fit it."""

import os
from collections.abc import Sequence
from numbers import Integral

import numpy as np

from ..errors import DataError, OptionError
from ..shapes import integer
from .images import decode, middle, resize
from .transforms import to_channels, to_float

Statistic = float | Sequence[float]
ORDERS = ("RGB", "BGR")


class NetInput:
    """What a net takes: ``input_shape`` (C, H, W) of values (x / 255 - mean) / std.

    ``mean`` and ``std`` are one number or one for each channel, in the net's ``order`` of channels.
    ``side`` is the shorter side before the middle is cut out, in pixels; None: the whole image is
    resized to H x W. Raises OptionError for a shape that is not three positive integers, another
    number of values, a ``std`` that is not positive, another order, or a ``side`` below H or W.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        mean: Statistic,
        std: Statistic,
        order: str = "RGB",
        side: int | None = None,
    ) -> None:
        if not isinstance(input_shape, Sequence) or len(input_shape) != 3:
            raise OptionError(f"input_shape must be (C, H, W), got {input_shape!r}")
        self.channels, self.height, self.width = (
            integer(size, f"input_shape: {axis}", 1)
            for axis, size in zip("CHW", input_shape, strict=True)
        )
        self.mean = _statistic("mean", mean, self.channels)
        self.std = _statistic("std", std, self.channels)
        if not (self.std > 0).all():
            raise OptionError(f"std must be positive, got {std!r}")
        if order not in ORDERS or (order == "BGR" and self.channels != 3):
            raise OptionError(f"order must be RGB, or BGR of three channels; got {order!r}")
        self.order = order
        if side is not None:
            side = integer(side, "resize", max(self.height, self.width))
        self.side = side

    def fit(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, C) resized and with the net's channels; raises ShapeError as they do."""
        if self.side is None:
            image = resize(image, self.height, self.width)
        else:
            image = middle(image, self.side, self.height, self.width)
        return self.recoloured(image)

    def recoloured(self, images: np.ndarray) -> np.ndarray:
        """uint8 (..., C) of the net's size, with its channels; the order is RGB still."""
        return to_channels(images, self.channels)

    def fit_batch(self, images: np.ndarray) -> np.ndarray:
        """``fit`` for uint8 images (B, H, W, C) of one size."""
        if self.side is None and images.shape[1:3] == (self.height, self.width):
            return self.recoloured(images)
        return np.stack([self.fit(image) for image in images])

    def floats(self, images: np.ndarray) -> np.ndarray:
        """uint8 (B, H, W, C) that fit, as float32 (B, C, H, W) in the net's order of channels."""
        ordered = images[..., ::-1] if self.order == "BGR" else images
        return to_float(ordered, self.mean, self.std)

    def messages(self, shape: tuple[int, ...] | None) -> list[str]:
        """One line for each change that images (H, W, C) go through; None: they may differ."""
        return [*self._size_messages(shape), *self.channel_messages(shape)]

    def _size_messages(self, shape: tuple[int, ...] | None) -> list[str]:
        target = f"{self.height}x{self.width}"
        kind = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels} channels")
        came = "of any size" if shape is None else "x".join(map(str, shape))
        if self.side is not None:
            ends = f", {kind}" if shape is None else ""
            return [f"images {came}: shorter side to {self.side}, middle {target} cut out{ends}"]
        if shape is None:
            return [f"images {came} resized to {target}, {kind} (aspect ratio not kept)"]
        same = shape[:2] == (self.height, self.width)
        return [] if same else [f"images {came} resized to {target}"]

    def channel_messages(self, shape: tuple[int, ...] | None) -> list[str]:
        """Those of ``messages`` that are not about their size."""
        lines = []
        if shape is not None and shape[2] < self.channels:
            lines.append(f"grey repeated to {self.channels} channels")
        elif shape is not None and shape[2] > self.channels:
            lines.append("colour turned to grey (ITU-R 601 luma)")
        return lines + ["channels in the order BGR"] * (self.order == "BGR")


def _statistic(what: str, value: Statistic, channels: int) -> np.ndarray:
    try:
        values = np.atleast_1d(np.asarray(value, np.float32))
    except (TypeError, ValueError):
        values = np.full(1, np.nan, np.float32)
    if values.shape not in ((1,), (channels,)) or not np.isfinite(values).all():
        raise OptionError(
            f"{what} must be a finite number or one for each of {channels} channels, got {value!r}"
        )
    return values


def load_image(
    path: str | os.PathLike, input_shape: Sequence[int], mean: Statistic, std: Statistic
) -> np.ndarray:
    """One image file as a net takes it: float32 (1, C, H, W), as the Loader would make it.

    Raises DataError for a file that is no readable image, OptionError as NetInput does.
    """
    net_input = NetInput(input_shape, mean, std)
    return net_input.floats(net_input.fit(decode(path))[None])


def check_image(name: str, sample: int, image: object) -> np.ndarray:
    """The image if it is uint8 (H, W, C); raises DataError naming the sample otherwise."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.size:
        return image
    came = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else repr(type(image))
    raise DataError(f"{name}: sample {sample} is {came}, expected a uint8 array (H, W, C)")


def check_pair(name: str, sample: int, pair: object) -> tuple[object, int]:
    """The image and label of a sample; raises DataError unless it is a pair with an integer."""
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], Integral):
        came = tuple(map(type, pair)) if isinstance(pair, tuple | list) else type(pair)
        raise DataError(
            f"{name}: sample {sample} is {came!r}, expected an image and a class number (an int)"
        )
    return pair[0], int(pair[1])
