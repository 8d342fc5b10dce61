"""Built files on disk: safe for several processes at once, and rebuilt when they are damaged.

A file is made beside its place and renamed into it, so that nobody sees half of one. Its last 32
bytes are the SHA-256 of the rest, which linkers and the loader do not look at.
"""

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import DeviceError

_DIGEST = 32


def wanted() -> Path:
    """Where built files should lie: ``$GPUCONV_CACHE``, else the user's cache folder."""
    named = os.environ.get("GPUCONV_CACHE")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(named) if named else Path(user) / "gpuconv"


def folder() -> Path:
    """Where built files lie: ``wanted()``, or a temporary folder of this process where it cannot.

    Raises DeviceError where neither can be written.
    """
    path = wanted()
    if writable(path):
        return path
    try:
        return _temporary()
    except OSError as error:
        raise DeviceError(
            f"neither {path} nor a temporary folder can be written; set GPUCONV_CACHE to a folder "
            "that can"
        ) from error


def writable(path: Path) -> bool:
    """Can files be made in this folder? It is made if it is not there."""
    if path.parts[:1] == ("~",):  # nobody knows this user's home
        return False
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


@functools.cache
def _temporary() -> Path:
    path = Path(tempfile.mkdtemp(prefix="gpuconv-cache-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def artifact(name: str, make: Callable[[Path], Path]) -> Path:
    """The intact file of this name in the cache; ``make(empty folder)`` returns it freshly built.

    ``name`` must say everything that the content depends on (a hash of it).
    """
    path = folder() / name
    if not intact(path):
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as work:
            made = make(Path(work))
            _seal(made)
            made.replace(path)
    return path


def _seal(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).digest()
    with path.open("ab") as file:
        file.write(digest)


def intact(path: Path) -> bool:
    """Is the file there, and its content what was written?"""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]
