"""Image files to uint8 arrays, and their size."""

import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


def decode(path: str | os.PathLike) -> np.ndarray:
    """One image file as uint8 (H, W, 1) if it is grey, else (H, W, 3), turned as its EXIF says.

    Palettes become colour, transparency is dropped, 16-bit grey keeps its high byte (as Pillow
    does for 16-bit colour). Raises DataError, naming the file, for one that is missing, truncated
    or no image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            return _pixels(ImageOps.exif_transpose(file))
    except FileNotFoundError:
        raise DataError(f"{os.fspath(path)}: no such image; check the path") from None
    # Decoders raise almost anything on broken bytes: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        raise DataError(
            f"{os.fspath(path)}: cannot be read as an image ({error}); replace or remove it"
        ) from error


def _pixels(image: "Image") -> np.ndarray:
    if image.mode.startswith("I"):
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[..., None]
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def middle(image: np.ndarray, side: int, height: int, width: int) -> np.ndarray:
    """uint8 (H, W, C): the middle (height, width) after the shorter side became ``side``.

    Rounded as torchvision's Resize and CenterCrop round.
    """
    short, (rows, columns) = min(image.shape[:2]), image.shape[:2]
    image = resize(image, side * rows // short, side * columns // short)
    top, left = (
        round((have - want) / 2)
        for have, want in zip(image.shape[:2], (height, width), strict=True)
    )
    return image[top : top + height, left : left + width]


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 (H, W, C) to (height, width, C): Pillow's bilinear filter, which averages (antialias)
    when it shrinks; the aspect ratio is not kept."""
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image

    def one(plane: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))

    if image.shape[2] == 3:
        return one(image)
    return np.stack([one(image[..., c]) for c in range(image.shape[2])], axis=2)
