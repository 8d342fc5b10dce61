"""Numbers and structs of numbers as a CUDA kernel's parameters declare them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cuda import Source
from ..cuda.arguments import TYPES
from ..errors import DtypeError, KernelError
from ._names import Number

MACROS = ("REAL", "INDEX")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MEMBERS = re.compile(r"\s*([A-Za-z_][\w ]*?)\s+(\w+(?:\s*,\s*\w+)*)\s*")


def plain(text: str) -> str:
    """CUDA C++ without its comments, every line where it was."""
    return _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n") or " ", text)


def members(source: Source, kind: str) -> dict[str, str]:
    """The types of a struct's members by name; nothing for a type of numbers.

    Raises KernelError for a type that is neither that nor a struct of numbers.
    """
    if kind in TYPES or kind in MACROS:
        return {}
    texts = [source.text, *(path.read_text() for path in source.headers.values())]
    struct = re.compile(rf"\bstruct\s+{re.escape(kind)}\s*\{{([^{{}}]*)\}}")
    bodies = [found[1] for found in map(struct.search, map(plain, texts)) if found]
    lines = [line for line in bodies[0].split(";") if line.strip()] if bodies else [""]
    matches = [_MEMBERS.fullmatch(line) for line in lines]
    if not all(match and (match[1] in TYPES or match[1] in MACROS) for match in matches):
        raise KernelError(
            f"check: {source.path.name}: {kind} is no type that can be filled; expected one of "
            f"{', '.join((*MACROS, *TYPES))}, or a struct of these in the file or its headers"
        )
    return {name.strip(): m[1] for m in matches if m for name in m[2].split(",")}


def number(name: str, kind: str, value: Number) -> Any:
    """``value`` as a NumPy scalar of a C++ type; raises DtypeError unless the type can hold it."""
    made = np.dtype(TYPES[kind]).type(value)
    if made.dtype.kind != "f" and made != value:
        raise DtypeError(f"{name} is {kind}, but its value is {value}; declare it as REAL")
    return made


def struct(types: Mapping[str, str], numbers: Mapping[str, Number]) -> Any:
    """A struct by value, laid out as C++ does; ``types`` and ``numbers`` are by member."""
    made = np.zeros((), np.dtype([(n, TYPES[kind]) for n, kind in types.items()], align=True))
    for name, kind in types.items():
        made[name] = number(name, kind, numbers[name])
    return made[()]
