"""Machine code of tiles: built once for this CPU, kept on disk, loaded at an address.

A file's name says the tile, the CPU with its features, llvmlite's version and the sources that
wrote the tile: what another CPU or version built is never loaded.
"""

import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from .. import _cache
from . import progress, simd

HERE = Path(__file__).resolve().parent
_LOCK = threading.Lock()
_ADDRESSES: dict["Tile", int] = {}


class Tile(Protocol):
    """What can be built: hashable, with a name that is unique, and the text behind it."""

    @property
    def name(self) -> str: ...

    def text(self, fused: bool) -> str:
        """The function of that name in LLVM's language."""


def address(tile: Tile) -> int:
    """Where the tile's code lies in this process; built, or read from disk, at the first call."""
    known = _ADDRESSES.get(tile)
    if known is None:
        with _LOCK:
            if tile not in _ADDRESSES:
                _ADDRESSES[tile] = _load(tile.name, _artifact(tile).read_bytes())
            known = _ADDRESSES[tile]
    return known


def _artifact(tile: Tile) -> Path:
    def make(folder: Path) -> Path:
        progress.compiling()
        path = folder / "tile.o"
        path.write_bytes(_object(tile))
        return path

    key = hashlib.sha256(f"{tile.name} {_build()}".encode()).hexdigest()[:24]
    return _cache.artifact(f"cpu-{tile.name}-{key}.o", make)


@cache
def sources() -> str:
    """A hash of this package's sources."""
    parts = (path.read_bytes() for path in sorted(HERE.glob("*.py")))
    return hashlib.sha256(b"".join(parts)).hexdigest()


@cache
def _build() -> str:
    import llvmlite

    return " ".join((*simd.host(), llvmlite.__version__, sources()))


@cache
def _machine() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    cpu, features = simd.host()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=3)


def _object(tile: Tile) -> bytes:
    from llvmlite import binding

    features = simd.host()[1].split(",")
    module = binding.parse_assembly(tile.text(fused="+fma" in features or "+neon" in features))
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(_machine(), options)
    passes.getModulePassManager().run(module, passes)
    return bytes(_machine().emit_object(module))


@cache
def _engine() -> Any:
    """One engine holds every tile: what is loaded stays as long as the process."""
    from llvmlite import binding

    return binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())


def _load(name: str, content: bytes) -> int:
    from llvmlite import binding

    _engine().add_object_file(binding.ObjectFileRef.from_data(content))
    _engine().finalize_object()
    return int(_engine().get_function_address(name))
