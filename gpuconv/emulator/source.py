"""A kernel source as the compiler will see it: what it includes, its kernels, its shared memory."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CompileError, DataError, OptionError

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_KERNEL = re.compile(r"\bEMU_GLOBAL\s+void\s+(\w+)\s*\(([^)]*)\)")
# `__shared__` is static, so only dynamic shared memory is both extern and static.
_ATTRIBUTE = r"(?:__attribute__\s*\(\(.*?\)\)\s*|alignas\s*\([^)]*\)\s*)*"
_DYNAMIC = re.compile(
    rf"\bextern\s+{_ATTRIBUTE}static\s+{_ATTRIBUTE}([\w:<>,\s]+?)\s*{_ATTRIBUTE}\b(\w+)\s*\[\s*\]\s*;"
)
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Source:
    """CUDA C++ text, the name that reports use for it, macros and include folders."""

    text: str
    name: str
    defines: tuple[str, ...]
    include: tuple[Path, ...]

    def options(self, emulator: Path) -> tuple[str, ...]:
        """Macros and folders as the compiler takes them."""
        folders = (emulator, *self.include)
        return (*(f"-D{d}" for d in self.defines), *(f"-I{folder}" for folder in folders))

    def wrapped(self) -> str:
        """The text after the emulator's header, with internal linkage."""
        return (
            f'#include "cuda_emu.h"\nnamespace {{\n#line 1 "{self.name}"\n{self.text}\n}}\n'
        )

    def contents(self) -> Iterator[str]:
        """This text and that of every file it includes, directly or not."""
        seen: set[Path] = set()
        waiting = [self.text]
        while waiting:
            text = waiting.pop()
            yield text
            for path in filter(None, map(self._find, _INCLUDE.findall(text))):
                if path not in seen:
                    seen.add(path)
                    waiting.append(path.read_text(encoding="utf-8"))

    def _find(self, name: str) -> Path | None:
        found = (folder / name for folder in self.include)
        return next((path for path in found if path.is_file()), None)


@dataclass(frozen=True)
class Unit:
    """A preprocessed source with a description of each kernel at its end."""

    text: str
    kernels: tuple[str, ...]


def read(
    path_or_source: str | Path, defines: Mapping[str, object], include: Sequence[str | Path]
) -> Source:
    """A source from a file, or from a string that holds a kernel.

    Raises DataError for a file that cannot be read, OptionError for a macro that is none.
    """
    folders = [Path(folder).resolve() for folder in include]
    if isinstance(path_or_source, str) and "__global__" in path_or_source:
        return Source(path_or_source, "<source>", macros(defines), tuple(folders))
    path = Path(path_or_source).resolve()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"emulator: the CUDA source {path} cannot be read: {error}") from None
    return Source(text, str(path), macros(defines), (path.parent, *folders))


def macros(defines: Mapping[str, object]) -> tuple[str, ...]:
    """``{"T": "float", "FAST": True}`` as ``("FAST", "T=float")``; raises OptionError."""
    for name in defines:
        if not _NAME.fullmatch(name):
            raise OptionError(f"emulator: {name!r} is not the name of a macro")
    on = {name: value for name, value in defines.items() if value is not False}
    return tuple(n if v is True else f"{n}={v}" for n, v in sorted(on.items()))


def translate(preprocessed: str) -> Unit:
    """Shared memory as a pointer, and a description after each kernel; raises CompileError."""
    found = _KERNEL.findall(preprocessed)
    if not found:
        raise CompileError("the source holds no __global__ function")
    text = _DYNAMIC.sub(r"\1* const \2 = (\1*)(void*)::emu::dynamic_shared;", preprocessed)
    names = dict(found)
    for name, parameters in names.items():
        text += f'\nextern "C" __attribute__((visibility("default"), used)) const char '
        text += f'emu_names_{name}[] = "{" ".join(_parameter_names(parameters))}";'
        text += (
            '\nextern "C" __attribute__((visibility("default"), used)) const emu::Kernel '
            f"emu_kernel_{name} = emu::describe<&{name}>(&{name});"
        )
    return Unit(text.replace("EMU_GLOBAL", "") + "\n", tuple(names))


def _parameter_names(parameters: str) -> list[str]:
    last = (re.search(r"(\w+)\s*$", part) for part in parameters.split(","))
    return [name[1] for name in last if name]
