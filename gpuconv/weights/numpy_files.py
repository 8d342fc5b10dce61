"""NumPy's .npz: a zip file of arrays. No object arrays, so nothing in it is ever run."""

import warnings
import zipfile
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import WeightsError
from . import archives

_KINDS, _MAX_HEADER = "biuf", 2**14


def read(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """The arrays by name; raises WeightsError."""
    if key is not None:
        raise WeightsError("no entries within entries; leave key out")
    with archives.opened(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        if not names or len(names) < len(archive.namelist()):
            raise WeightsError("a zip file of neither PyTorch nor NumPy")
        return {name.removesuffix(".npy"): _array(archive, name) for name in names}


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        head = file.read(_MAX_HEADER)
    shape, fortran, dtype, start = _header(BytesIO(head), name)
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise WeightsError(f"an array {name[:80]!r} of dtype {str(dtype)[:40]}; expected numbers")
    numel = prod(shape)
    if size != start + numel * dtype.itemsize or min(shape, default=0) < 0:
        raise WeightsError(
            f"an array {name[:80]!r} of shape {shape} and dtype {dtype} in {size:,} bytes"
        )
    with archive.open(name) as file:
        file.read(start)
        values = archives.fill(file, dtype, numel)
    ordered = values.reshape(shape, order="F" if fortran else "C")
    return np.asarray(ordered, dtype.newbyteorder("="), order="C")


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    formats = np.lib.format
    readers = {
        (1, 0): formats.read_array_header_1_0,
        (2, 0): formats.read_array_header_2_0,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header of Python 2 is read as well
            shape, fortran, dtype = readers[formats.read_magic(file)](file)
    # It is parsed as Python literals: broken ones raise almost anything.
    except Exception as error:
        raise WeightsError(f"a damaged array {name[:80]!r} ({str(error)[:80]})") from None
    if any(type(size) is not int or abs(size) >= 2**62 for size in shape):
        raise WeightsError(f"an array {name[:80]!r} with a shape that no array can have")
    return shape, fortran, dtype, file.tell()
