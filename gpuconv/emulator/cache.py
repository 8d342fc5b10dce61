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

_DIGEST = 32


def folder() -> Path:
    """Where built files lie: ``$GPUCONV_CACHE``, else the user's cache folder.

    A folder that cannot be written is replaced by a temporary one for this process.
    """
    named = os.environ.get("GPUCONV_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wanted = Path(named) if named else user / "gpuconv"
    return wanted if _writable(wanted) else _temporary()


def _writable(path: Path) -> bool:
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
