"""What happens to a batch of uint8 images before a net sees it: channels, augmentation, float."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError, ShapeError
from ..shapes import integer

# An augmentation takes uint8 images (B, H, W, C) and uint32 words (B, 4), four random words for
# each sample, and gives uint8 images of the same shape.
Augmentation = Callable[[np.ndarray, np.ndarray], np.ndarray]


def to_float(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """uint8 (B, H, W, C) to float32 (B, C, H, W), C-contiguous: (x / 255 - mean) / std.

    ``mean`` and ``std`` are float32, one value or one for each channel.
    """
    count, height, width, channels = images.shape
    out = np.empty((count, channels, height, width), np.float32)
    np.divide(images.transpose(0, 3, 1, 2), np.float32(255), out=out, dtype=np.float32)
    out -= mean.reshape(-1, 1, 1)
    out /= std.reshape(-1, 1, 1)
    return out


def to_grey(images: np.ndarray) -> np.ndarray:
    """uint8 (..., 3) to (..., 1): luma 0.299 R + 0.587 G + 0.114 B of ITU-R BT.601.

    In 16-bit fixed point with Pillow's coefficients, so that both give the same bytes.
    """
    red, green, blue = np.moveaxis(images.astype(np.uint32), -1, 0)
    luma: np.ndarray = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return luma.astype(np.uint8)[..., None]


def to_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """uint8 (..., C) with another number of channels: grey is repeated, colour becomes grey.

    Raises ShapeError for any other change.
    """
    came = images.shape[-1]
    if came == channels:
        return images
    if came == 1:
        return np.repeat(images, channels, axis=-1)
    if (came, channels) == (3, 1):
        return to_grey(images)
    raise ShapeError(
        f"to_channels: images have {came} channels but the net takes {channels}; "
        "only grey to any number and 3 to grey are known: convert the images yourself"
    )


def random_shift(pixels: int) -> Augmentation:
    """Moves each image by whole pixels, up to ``pixels`` along each axis; what comes in is 0.

    Raises OptionError unless ``pixels`` is an integer >= 1.
    """
    return _Shift(integer(pixels, "random_shift: pixels", 1))


def random_flip() -> Augmentation:
    """Mirrors each image left to right with probability 1/2."""
    return _Flip()


# Objects and not closures: they travel to processes that read.
@dataclass(frozen=True)
class _Shift:
    reach: int

    def __call__(self, images: np.ndarray, words: np.ndarray) -> np.ndarray:
        count, height, width, _ = images.shape
        reach = self.reach
        start = (words[:, :2].astype(np.uint64) * np.uint64(2 * reach + 1)) >> np.uint64(32)
        padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        rows = start[:, 0, None, None].astype(np.intp) + np.arange(height)[:, None]
        columns = start[:, 1, None, None].astype(np.intp) + np.arange(width)
        moved: np.ndarray = padded[np.arange(count)[:, None, None], rows, columns]
        return moved


@dataclass(frozen=True)
class _Flip:
    def __call__(self, images: np.ndarray, words: np.ndarray) -> np.ndarray:
        mirrored = words[:, 0] < 2**31
        return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def augment(images: np.ndarray, steps: list[Augmentation], words: list[np.ndarray]) -> np.ndarray:
    """Each step in turn; raises OptionError for one that changes the shape or the dtype."""
    for step, drawn in zip(steps, words, strict=True):
        result = step(images, drawn)
        if getattr(result, "shape", None) != images.shape or result.dtype != np.uint8:
            raise OptionError(
                f"augment: {step!r} gave {getattr(result, 'dtype', type(result))} "
                f"{getattr(result, 'shape', '')}, expected uint8 {images.shape} as it was given"
            )
        images = result
    return images
