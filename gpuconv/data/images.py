"""Image files to uint8 arrays, and their size."""

import os
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


MAX_PIXELS = 89_478_485  # Pillow's own line between a photograph and a decompression bomb
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp")

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright


def decode(path: str | os.PathLike) -> np.ndarray:
    """One image file as uint8 (H, W, 1) if it is grey, else (H, W, 3), turned as its EXIF says.

    Palettes and CMYK become colour, transparency is dropped, 16-bit grey keeps its high byte (as
    Pillow does for 16-bit colour), an animation gives its first frame. Raises DataError, naming
    the file, for one that is missing, truncated, no image or larger than ``MAX_PIXELS``.
    """
    return decode_from(path, os.fspath(path))


def decode_from(source: "str | os.PathLike | IO[bytes]", name: str) -> np.ndarray:
    """``decode`` of a path or an open file; messages call it ``name``."""
    from PIL import Image, ImageOps

    try:
        with Image.open(source) as file:
            _check_size(file)
            turned = file.getexif().get(_ORIENTATION, 1) != 1
            # exif_transpose copies an image that is upright, and convert one of the mode asked for.
            return _pixels(ImageOps.exif_transpose(file) if turned else file)
    except FileNotFoundError:
        raise DataError(f"{name}: no such image; check the path") from None
    # Decoders raise almost anything on broken bytes: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        raise DataError(
            f"{name}: cannot be read as an image ({error}); replace or remove it"
        ) from error


def kind(source: "str | os.PathLike | IO[bytes]") -> str:
    """Format and mode as the file says them, "JPEG CMYK" or "PNG I;16"; "?" for no image.

    " animated" and " turned by EXIF" are added where they hold. Only the header is read.
    """
    from PIL import Image

    try:
        with Image.open(source) as file:
            animated = " animated" if getattr(file, "n_frames", 1) > 1 else ""
            turned = " turned by EXIF" if file.getexif().get(_ORIENTATION, 1) != 1 else ""
            return f"{file.format} {file.mode}{animated}{turned}"
    except Exception:  # as in decode_from, which says what is wrong
        return "?"


def _check_size(image: "Image") -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(f"{width} x {height} pixels, more than {MAX_PIXELS:,}: no photograph")


def _pixels(image: "Image") -> np.ndarray:
    if image.mode.startswith("I"):
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[..., None]
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


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


def middle(image: np.ndarray, side: int, height: int, width: int) -> np.ndarray:
    """The middle (height, width) of the image after its shorter side became ``side``.

    With torchvision's rounding of Resize and CenterCrop. Raises DataError for an image so long
    that it would become larger than ``MAX_PIXELS``.
    """
    image = shorter(image, side)
    top, left = (
        round((have - want) / 2)
        for have, want in zip(image.shape[:2], (height, width), strict=True)
    )
    return image[top : top + height, left : left + width]


def shorter(image: np.ndarray, side: int) -> np.ndarray:
    """The image with its shorter side ``side`` pixels long; raises as ``middle`` does."""
    rows, columns = image.shape[:2]
    height, width = (side * size // min(rows, columns) for size in (rows, columns))
    if height * width > MAX_PIXELS:
        raise DataError(
            f"an image of {columns} x {rows} would become {width} x {height}, more than "
            f"{MAX_PIXELS:,} pixels; remove it, or cut it up"
        )
    return resize(image, height, width)
