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
_DESCRIPTION = """
extern "C" __attribute__((visibility("default"), used)) const char emu_names_{name}[] = "{names}";
extern "C" __attribute__((visibility("default"), used)) const emu::Kernel emu_kernel_{name} =
    emu::describe<&{name}>(&{name});
"""


@dataclass(frozen=True)
class Source:
    """CUDA C++ text, the name that reports use for it, macros and include folders."""

    text: str
    name: str
    defines: tuple[str, ...]  # "NAME=value"
    include: tuple[Path, ...]

    @property
    def options(self) -> str:
        """Macros and folders as NVRTC would take them."""
        folders = (f"-I{folder}" for folder in self.include)
        return " ".join((*(f"-D{define}" for define in self.defines), *folders))

    def wrapped(self) -> str:
        """The text after the emulator's header, with internal linkage.

        The macros stand behind that header, so that one named ``T`` does not change it.
        """
        macros = "".join(f"#define {define.replace('=', ' ', 1)}\n" for define in self.defines)
        return (
            f'#include "cuda_emu.h"\n{macros}namespace {{\n#line 1 "{self.name}"\n{self.text}\n}}\n'
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
    """``{"T": "float", "FAST": True}`` as ``("FAST=1", "T=float")``; raises OptionError."""
    for name in defines:
        if not _NAME.fullmatch(name):
            raise OptionError(f"emulator: {name!r} is not the name of a macro")
    on = {name: value for name, value in defines.items() if value is not False}
    return tuple(f"{n}={1 if v is True else v}" for n, v in sorted(on.items()))


def translate(preprocessed: str) -> Unit:
    """Shared memory as a pointer, and a description after each kernel; raises CompileError."""
    found = _KERNEL.findall(preprocessed)
    if not found:
        raise CompileError("the source holds no __global__ function")
    text = _DYNAMIC.sub(_as_pointer, preprocessed).replace("EMU_GLOBAL", "")
    for name, parameters in dict(found).items():
        text += _DESCRIPTION.format(name=name, names=" ".join(_parameter_names(parameters)))
    return Unit(text, tuple(dict.fromkeys(name for name, _ in found)))


def _as_pointer(dynamic: re.Match[str]) -> str:
    element, name = dynamic.groups()
    return f"{element}* const {name} = ({element}*)(void*)::emu::dynamic_shared.bytes;"


# A comma inside a template's brackets gives one part too many, which nobody reads; a parameter
# without a name is called by its type.
def _parameter_names(parameters: str) -> list[str]:
    last = (re.search(r"(\w+)\W*$", part) for part in parameters.split(","))
    return [name[1] for name in last if name]
