"""Zip files, opened so that no record is larger than the file says and can hold."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import WeightsError

# What zipfile raises on broken bytes.
_DAMAGE = (EOFError, IndexError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
PIECE = 2**20  # bytes read at once: a record of a zip file is copied on its way
MAX_GROWTH, ALWAYS = 50, 2**26  # weights hardly compress; a bomb grows a thousandfold


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file; whatever is damaged in it is a WeightsError, inside the block too."""
    try:
        with zipfile.ZipFile(path) as archive:
            _require_honest(archive, path.stat().st_size)
            yield archive
    except WeightsError:
        raise
    except (zipfile.BadZipFile, *_DAMAGE) as error:
        raise WeightsError(f"a damaged zip file ({str(error)[:80]})") from None


def _require_honest(archive: zipfile.ZipFile, size: int) -> None:
    records = archive.infolist()
    names = [record.filename for record in records]
    if len(set(names)) < len(names):
        raise WeightsError("a zip file with two records of the same name")
    for record in records:
        if record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WeightsError("a zip file that is neither stored nor deflated")
        stored = record.compress_type == zipfile.ZIP_STORED
        if stored and record.file_size != record.compress_size:
            raise WeightsError("a zip file with a stored record of two sizes")
    if sum(record.compress_size for record in records) > size:
        raise WeightsError("a zip file whose records claim more bytes than it has")
    grown = sum(record.file_size for record in records)
    if grown > max(ALWAYS, MAX_GROWTH * size):
        raise WeightsError(
            f"{grown:,} bytes in a zip file of {size:,}, more than weights are ever compressed"
        )


def array(archive: zipfile.ZipFile, name: str, dtype: np.dtype, numel: int) -> np.ndarray:
    """The elements that a record is, all of it."""
    record = archive.NameToInfo.get(name)
    if record is None:
        raise WeightsError(f"no record {name[:80]!r}")
    if record.file_size != numel * dtype.itemsize:
        raise WeightsError(
            f"a record of {record.file_size:,} bytes for {numel:,} elements of {dtype.name}"
        )
    with archive.open(record) as file:
        return fill(file, dtype, numel)


def fill(file: object, dtype: np.dtype, numel: int) -> np.ndarray:
    """``numel`` elements read from a file, of which it is known that it has as many."""
    values = np.empty(numel, dtype)
    left = memoryview(values.view(np.uint8).data)
    while left:
        count = file.readinto(left[:PIECE])  # type: ignore[attr-defined]
        if not count:
            raise WeightsError("fewer bytes than it says (cut short?)")
        left = left[count:]
    return values
