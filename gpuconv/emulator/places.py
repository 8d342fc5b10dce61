"""From an address in a library to the line of the kernel source."""

import functools
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

Place = tuple[str, int]
TWINS = "ptx.cuh"  # of inline PTX
_OWN = Path(__file__).resolve().parent
_LINE = re.compile(r"^(.*):(\d+)(?: \(discriminator \d+\))?$")


def places(library: Path, addresses: Sequence[int]) -> list[Place]:
    """File and line of each call at (just before) an address; ("?", 0) where unknown."""
    wanted = [hex(address - 1) for address in addresses]
    if not wanted:
        return []
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-e", str(library), *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    groups = re.split(r"^0x[0-9a-f]+\n", done.stdout, flags=re.MULTILINE)[1:]
    found = [_kernels_line(group.splitlines()) for group in groups]
    return found if len(found) == len(addresses) else [("?", 0)] * len(addresses)


@functools.lru_cache(maxsize=256)
def place(library: Path, address: int) -> Place:
    """File and line of one address."""
    return places(library, [address])[0] if address else ("?", 0)


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_OWN) or path.name == TWINS


# Inlined code has several lines, the innermost first: the emulator's own are not the kernel's, nor
# are the twins of instructions.
def _kernels_line(lines: Sequence[str]) -> Place:
    for line in lines:
        match = _LINE.match(line)
        if match and match[1] != "??" and not _is_ours(Path(match[1])):
            name = "<source>" if match[1].endswith("<source>") else match[1]
            return name, int(match[2])
    return "?", 0
