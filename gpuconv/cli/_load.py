"""A user's Python file as a module: it registers kernels when it is imported."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from ..errors import DataError, GpuconvError
from ._proof import line_of


def load(file: Path, command: str) -> ModuleType:
    """The file as a module; raises DataError, naming the line, for what it raises itself."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if file.suffix != ".py" or spec is None or spec.loader is None or not file.is_file():
        also = ", or a .cu file" if command == "check" else ""
        raise DataError(
            f"{command}: {file} is no Python file; give one that registers kernels{also}"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except GpuconvError:
        raise
    except Exception as error:  # whatever a user's file may raise
        line = line_of(error, file)
        raise DataError(f"{file}:{line}: {type(error).__name__}: {error}") from error
    return module
