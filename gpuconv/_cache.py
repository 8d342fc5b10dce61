"""Built files on disk: safe for several processes at once, and rebuilt when they are damaged.

A file is made beside its place and renamed into it, so that nobody sees half of one. Its SHA-256
lies beside it. Where two processes build different bytes at once, file and hash may not belong
together; then it is built once more.
"""

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import DeviceError

_DIGEST = ".sha256"


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
            made, seal = make(Path(work)), Path(work) / _DIGEST
            seal.write_text(_hash(made.read_bytes()))
            seal.replace(_beside(path))
            made.replace(path)
    return path


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _DIGEST)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def intact(path: Path) -> bool:
    """Is the file there, and its content what was written?"""
    try:
        return _hash(path.read_bytes()) == _beside(path).read_text()
    except (OSError, UnicodeDecodeError):
        return False
