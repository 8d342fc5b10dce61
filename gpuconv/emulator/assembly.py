"""What is done to a kernel's assembly: a red zone behind each shared variable, and a table of them.

In assembly every ``__shared__`` variable is one line, ``.comm symbol,size,alignment``, whatever
macros, templates and lambdas it came from. A larger size there is a gap in memory that no kernel
may touch, so that an overrun never reaches the next variable.
"""

import json
import re
from collections.abc import Iterable

from ..errors import CompileError

RED_ZONE = 256
_COMMON = re.compile(r"^\s*\.comm\s+([\w.$]+),\s*(\d+),\s*(\d+)\s*$", re.MULTILINE)
_FUNCTION = re.compile(r"^\s*\.type\s+([\w.$]+),\s*[@%]function", re.MULTILINE)
_LABEL = re.compile(r"([\w.$]+):")
_COPY = re.compile(r"^(\s+(?:callq?|jmp)\s+)(memcpy|memmove|memset)\b", re.MULTILINE)
_BIND = "4BindI"  # emu::Bind<...>::call of include/emu_signature.h, mangled
_WORD = re.compile(r"[A-Za-z_][\w.$]*")


def instrument(listing: str, kernels: Iterable[str], file: str, watched: bool) -> str:
    """The listing with red zones and the exported ``emu_shared_table`` and ``emu_shared_info``.

    ``watched``: copies that the compiler makes through the C library are seen by the checks.

    Raises CompileError for a variable at the top of the file, and for a kernel that is not
    ``extern "C"``.
    """
    sizes = {symbol: int(size) for symbol, size, _ in _COMMON.findall(listing)}
    for symbol in sizes:
        if not symbol.startswith("_ZZ"):
            raise CompileError(
                f"{file}: {symbol} is a variable outside every function; give the kernel an "
                "argument instead, or declare it __shared__ inside",
                file,
            )
    uses = _uses(listing, set(sizes))
    info = [
        {"name": name, "size": size, "kernels": [k for k in kernels if name in uses.get(k, ())]}
        for name, size in sizes.items()
    ]
    for kernel in kernels:
        if kernel not in uses:
            raise CompileError(f'{file}: declare kernel {kernel} as extern "C"', file)
    if watched:
        listing = _watch(listing)
    return _COMMON.sub(_widen, listing) + _table(info)


def _watch(listing: str) -> str:
    """The listing with copies under watch, except where a launch hands a kernel its structs."""
    functions, inside, lines = set(_FUNCTION.findall(listing)), "", []
    for line in listing.splitlines(keepends=True):
        label = _LABEL.match(line)
        if label and label[1] in functions:
            inside = label[1]
        handing_over = _BIND in inside
        lines.append(line if handing_over else _COPY.sub(r"\1__tsan_\2", line))
    return "".join(lines)


def _widen(match: re.Match[str]) -> str:
    symbol, size, alignment = match.groups()
    return f"\t.comm\t{symbol},{int(size) + RED_ZONE},{alignment}"


def _uses(listing: str, shared: set[str]) -> dict[str, set[str]]:
    """For each function, the shared variables that it or a function it calls refers to."""
    functions = set(_FUNCTION.findall(listing))
    direct: dict[str, set[str]] = {name: set() for name in functions}
    known, inside = functions | shared, ""
    for line in listing.splitlines():
        label = _LABEL.match(line)
        if label and label[1] in functions:
            inside = label[1]
        elif inside and line[:1] in "\t " and not line.lstrip().startswith("."):
            direct[inside].update(known.intersection(_WORD.findall(line)))
    return {name: _closure(name, direct) & shared for name in functions}


def _closure(start: str, direct: dict[str, set[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = direct.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def _table(info: list[dict]) -> str:
    addresses = "".join(f"\t.quad\t{entry['name']}\n" for entry in info)
    text = json.dumps(info).replace("\\", "\\\\").replace('"', '\\"')
    return (
        "\t.data\n\t.balign 8\n\t.globl\temu_shared_table\n"
        "\t.type\temu_shared_table, @object\nemu_shared_table:\n"
        f"{addresses}\t.quad\t0\n\t.size\temu_shared_table, .-emu_shared_table\n"
        "\t.section\t.rodata\n\t.globl\temu_shared_info\n"
        "\t.type\temu_shared_info, @object\nemu_shared_info:\n"
        f'\t.asciz\t"{text}"\n\t.size\temu_shared_info, .-emu_shared_info\n'
    )
