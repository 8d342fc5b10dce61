"""Files that are there whole or as they were."""

import os
from contextlib import suppress
from pathlib import Path

from .errors import RunError


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was; raises RunError if that fails."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):  # the folder may be no folder
            temporary.unlink()
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> RunError:
    """The error of a file that could not be written."""
    why = error.strerror or error
    return RunError(f"{path}: cannot be written ({why}); check the folder and the space on disk")
