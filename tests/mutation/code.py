"""A CUDA source line by line: what of a line is code, and in which function it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "kernels"
_COMMENT = re.compile(r"//.*|/\*.*?\*/")
_MACRO = re.compile(r"#define\s+(\w+)(\([^)]*\))?\s*")
_STRUCT = re.compile(r"\b(?:struct|class|union|enum)\s+(?:alignas\([^)]*\)\s*)?(\w+)")
_NAMED = re.compile(r"\b(?!__launch_bounds__\b|__align__\b|alignas\b)(\w+)\s*\(")


@dataclass(frozen=True)
class Code:
    """Part of a line that is code: ``text`` without comments, from column ``start`` on."""

    number: int  # of the line, from 0
    function: str  # or the struct or macro
    head: str  # what stands before the function's first brace, or is the macro's first line
    start: int
    text: str


@dataclass
class _Place:
    """Where a walk over the lines has come to."""

    depth: int = 0
    head: str = ""  # of the definition that is open, or has not begun yet
    function: str = ""
    guarded: list[bool] = field(default_factory=list)  # for each open #if: is it an include guard's


def sources() -> list[str]:
    """Every CUDA source and header of the kernels, relative to the repository."""
    found = (p for pattern in ("*.cu", "*.cuh") for p in KERNELS.rglob(pattern))
    return sorted(p.relative_to(ROOT).as_posix() for p in found)


def code(text: str) -> Iterator[Code]:
    """The code of every function, struct and macro; no includes, comments, heads or types."""
    place, macro = _Place(), ""
    for number, line in enumerate(text.splitlines()):
        plain = _COMMENT.sub(lambda comment: " " * len(comment[0]), line).rstrip()
        if macro or plain.startswith("#"):
            head = _MACRO.match(plain)
            macro = head[1] if head else macro
            body = plain.removesuffix("\\")
            start = head.end() if head else 0
            _conditions(place, plain)
            if macro and not (place.guarded and place.guarded[-1]) and body[start:].strip():
                yield Code(number, macro, macro, start, body[start:])
            macro = macro if plain.endswith("\\") else ""
            continue
        yield from _body(place, number, plain)


def _conditions(place: _Place, line: str) -> None:
    if re.match(r"#\s*if", line):
        place.guarded.append(bool(re.match(r"#\s*ifndef", line)))
    elif re.match(r"#\s*endif", line):
        place.guarded.pop()


def _body(place: _Place, number: int, line: str) -> Iterator[Code]:
    """The code of a line that is no directive; follows the braces."""
    start = 0 if place.depth else None
    for column, letter in enumerate(line):
        if letter == "{":
            if place.depth == 0:
                place.head += line[:column]
                place.function = _name(place.head)
                start = column + 1
            place.depth += 1
        elif letter == "}":
            place.depth -= 1
            if place.depth == 0:
                if start is not None:
                    yield from _piece(place, number, start, line[start:column])
                start, place.head = None, ""
    if place.depth and start is not None:
        yield from _piece(place, number, start, line[start:])
    if place.depth == 0:
        place.head = "" if line.endswith((";", "}")) else place.head + line + " "


def _piece(place: _Place, number: int, start: int, text: str) -> Iterator[Code]:
    if text.strip() and not text.lstrip().startswith(("static_assert", "template")):
        yield Code(number, place.function, place.head, start, text)


def _name(head: str) -> str:
    named, struct = _NAMED.findall(head), _STRUCT.search(head)
    return named[0] if named else struct[1] if struct else head.strip()
