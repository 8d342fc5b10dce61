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

_DIGEST = ".sha256"


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
