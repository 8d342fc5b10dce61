"""CUDA C++ to a cubin with NVRTC, without a GPU; and loading it where there is one.

``cuda.bindings.nvrtc`` compiles for the device's architecture with ``-ftz=false``: denormals stay,
as they do in NumPy. Where it cannot be loaded, CuPy compiles, and CuPy flushes denormals to zero.
"""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._cache import artifact
from ..errors import KernelError

if TYPE_CHECKING:
    from .source import Source

OPTIONS = ("--std=c++17", "-ftz=false", "--ptxas-options=-v")


@cache
def nvrtc() -> tuple[Any, str | None]:
    """The NVRTC bindings and None, or None and the reason why they cannot be used."""
    try:
        from cuda.bindings import nvrtc as bindings

        code, *_ = bindings.nvrtcVersion()
    except ImportError:
        return None, "the package cuda-bindings is not installed"
    except Exception as error:  # the bindings raise their own types when the library is missing
        return None, f"NVRTC cannot be loaded ({error})"
    return (bindings, None) if not int(code) else (None, f"NVRTC answers with error {code}")


def version(bindings: Any) -> str:
    """NVRTC's version, "13.0"."""
    _, major, minor = bindings.nvrtcVersion()
    return f"{major}.{minor}"


def compile_cubin(source: "Source", macros: dict[str, str], arch: str) -> tuple[bytes, str]:
    """The cubin for ``arch`` ("sm_90a") and the assembler's log.

    Raises KernelError with file, line and options where the source does not compile, or where
    there is no NVRTC.
    """
    bindings, reason = nvrtc()
    if bindings is None:
        raise KernelError(f"{source.path.name}: cannot be compiled: {reason}")
    options = [*OPTIONS, f"--gpu-architecture={arch}"]
    options += [f"-D{name}={value}" for name, value in macros.items()]
    headers = {name: path.read_text() for name, path in source.headers.items()}
    program = _ok(
        bindings.nvrtcCreateProgram(
            source.text.encode(),
            source.path.name.encode(),
            len(headers),
            [text.encode() for text in headers.values()],
            [name.encode() for name in headers],
        )
    )
    code, *_ = bindings.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])
    log = _text(bindings.nvrtcGetProgramLogSize, bindings.nvrtcGetProgramLog, program)
    if int(code):
        raise KernelError(
            f"{source.path.name} does not compile for {arch} with {' '.join(options)}:\n{log}"
        )
    return _bytes(bindings.nvrtcGetCUBINSize, bindings.nvrtcGetCUBIN, program), log


def _ok(answer: tuple) -> Any:
    code, *rest = answer
    if int(code):
        raise KernelError(f"NVRTC answers with error {code}")
    return rest[0] if rest else None


def _bytes(size: Any, get: Any, program: Any) -> bytes:
    buffer = b" " * _ok(size(program))
    _ok(get(program, buffer))
    return buffer


def _text(size: Any, get: Any, program: Any) -> str:
    return _bytes(size, get, program).rstrip(b"\0 ").decode(errors="replace")


def resources(log: str) -> dict[str, dict[str, int]]:
    """Registers, spilled bytes and static shared memory of every entry in an assembler's log."""
    found = {}
    for part in log.split("Compiling entry function ")[1:]:
        name = part.split("'")[1]
        figures = {
            "registers": re.search(r"Used (\d+) registers", part),
            "spill_bytes": re.search(r"(\d+) bytes spill stores", part),
            "shared_bytes": re.search(r"(\d+) bytes smem", part),
        }
        found[name] = {key: int(match[1]) if match else 0 for key, match in figures.items()}
    return found


def cubin_file(source: "Source", macros: dict[str, str], arch: str) -> Path:
    """The cubin on disk; compiled if it is not there or damaged."""
    bindings, reason = nvrtc()
    if bindings is None:
        raise KernelError(f"{source.path.name}: cannot be compiled: {reason}")
    parts = [source.digest, version(bindings), arch, *OPTIONS, repr(sorted(macros.items()))]
    name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def make(folder: Path) -> Path:
        made = folder / "kernel.cubin"
        made.write_bytes(compile_cubin(source, macros, arch)[0])
        return made

    return artifact(f"{source.path.stem}-{arch}-{name}.cubin", make)


def load(source: "Source", entry: str, macros: dict[str, str], arch: str) -> Any:
    """The entry on the current GPU, whose architecture is ``arch``.

    A function of (grid, block, args, shared_mem).
    """
    import cupy

    if nvrtc()[0] is None:
        options = tuple(f"-D{name}={value}" for name, value in macros.items())
        folders = tuple(f"-I{folder}" for folder in source.include)
        tag = f"-DGPUCONV_SOURCE=0x{source.digest[:12]}"  # CuPy's cache does not see our headers
        module = cupy.RawModule(code=source.text, options=("-std=c++17", tag, *folders, *options))
    else:
        module = cupy.RawModule(path=str(cubin_file(source, macros, arch)))
    return module.get_function(entry)
