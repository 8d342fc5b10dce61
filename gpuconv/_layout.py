"""Makes kernels/ and benchmarks/ importable as gpuconv.kernels and gpuconv.benchmarks.

In a checkout the two folders lie beside the package; installed, they are inside it and nothing is
added. The finder goes first, so that a checkout takes its own folders even where another copy of
gpuconv is installed.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).resolve().parent
_BESIDE = {
    f"gpuconv.{name}": _PACKAGE.parent / name
    for name in ("kernels", "benchmarks")
    if not (_PACKAGE / name).is_dir()
}


class _Finder:
    """A meta path finder for the folders beside the package."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = _BESIDE.get(name)
        if folder is None or not (folder / "__init__.py").is_file():
            return None
        return spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


if _BESIDE:
    sys.meta_path.insert(0, _Finder)
