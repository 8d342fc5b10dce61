"""One process at a time on a run folder.

The system lets go of the lock when the process ends, however it ends. Where it has no such locks
(Windows) nothing is claimed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from .._files import unwritable
from ..errors import RunError

LOCK = "run.lock"
_TRIES, _PAUSE = 5, 0.02  # seconds: whoever only asks (holder) holds it for less


@contextmanager
def claimed(folder: str | os.PathLike) -> Iterator[None]:
    """Inside, no other process may claim the folder; ``run.lock`` holds the process's number.

    Raises RunError that names the process which has it, or if the file cannot be made.
    """
    path = Path(folder) / LOCK
    descriptor = _taken(path)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):  # the folder may be gone
            path.unlink()
        os.close(descriptor)


def holder(folder: str | os.PathLike) -> int | None:
    """The number of the process that has claimed the folder (0: not known yet), or None."""
    try:
        descriptor = os.open(Path(folder) / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _locked(descriptor, shared=True) else _number(descriptor)
    finally:
        os.close(descriptor)


def _taken(path: Path) -> int:
    """The open file, locked; a file that its last owner removed meanwhile is made anew."""
    for tried in range(_TRIES):
        if tried:
            sleep(_PAUSE)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(path, error) from None
        if _locked(descriptor) and _is(path, descriptor):
            return descriptor
        pid = _number(descriptor)
        os.close(descriptor)
    raise RunError(
        f"{path.parent}: process {pid or '(unknown)'} works in this run folder; wait until it "
        "ends, or stop it, and try again"
    )


def _locked(descriptor: int, *, shared: bool = False) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        # A file system without locks claims nothing, rather than refusing every run.
        return not isinstance(error, BlockingIOError)
    return True


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _number(descriptor: int) -> int:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else 0
