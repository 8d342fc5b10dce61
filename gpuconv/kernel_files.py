"""The files that hold kernels: found by what their names begin with, imported when needed."""

import importlib
import pkgutil

BACKENDS = {  # backend -> the devices it serves
    "numpy": ("cpu",),
    "numba": ("cpu",),
    "cuda": ("cuda", "emulated"),
    "numba_cuda": ("cuda", "emulated"),
}
MISSING: dict[str, str] = {}  # kernel module -> the optional package that it needs


def backend_of(stem: str) -> str | None:
    """The backend that a kernel file's name begins with, or None: the longest that fits."""
    fitting = [backend for backend in BACKENDS if stem.startswith(f"{backend}_")]
    return max(fitting, key=len, default=None)


def import_kernels(family: str) -> None:
    """Import every file of kernels in a package, which registers them."""
    package = importlib.import_module(family)
    for info in pkgutil.iter_modules(package.__path__):
        if backend_of(info.name) is None:
            continue
        module = f"{family}.{info.name}"
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("gpuconv"):
                raise
            MISSING[module] = error.name
