"""How wide the CPU's vectors are, and how many of them a tile may hold."""

import os
from functools import cache

from ..errors import OptionError

WIDTHS = {"avx512": 16, "avx2": 8, "generic": 4}  # lanes of float32
REGISTERS = {"avx512": 32, "avx2": 16, "generic": 16}
# Rows of a tile by registers, then by vectors of a row. Some stay free, because LLVM loads ahead:
# with more rows it moves sums to memory meanwhile (6 of two vectors take twice as long as 5).
ROWS = {16: {1: 9, 2: 5}, 32: {1: 28}}


@cache
def host() -> tuple[str, str]:
    """LLVM's name of this CPU, and its features as LLVM takes them."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def level() -> str:
    """``$GPUCONV_SIMD``, else the widest of avx512, avx2 and generic that this CPU has.

    A width that the CPU does not have is right all the same: LLVM cuts its vectors in pieces.
    Raises OptionError for another name.
    """
    named = os.environ.get("GPUCONV_SIMD")
    if named and named not in WIDTHS:
        raise OptionError(f"GPUCONV_SIMD={named}: expected one of {', '.join(WIDTHS)}, or unset")
    return named or _widest()


@cache
def _widest() -> str:
    features = host()[1].split(",")
    if {"+avx512f", "+avx512vl"} <= set(features):
        return "avx512"
    return "avx2" if {"+avx2", "+fma"} <= set(features) else "generic"


def width() -> int:
    """Lanes of float32 in a vector of the level in force."""
    return WIDTHS[level()]


def lanes_for(channels: int) -> int:
    """Channels of a block: two vectors where the registers are few and no more lanes lie idle.

    Each value that a tile loads is then used twice as often. Half of a long vector where that holds
    all of them (formats.lanes).
    """
    narrow = width()
    if narrow == 16 and channels <= 8:
        return 8
    wide = 2 * narrow if REGISTERS[level()] < 32 else narrow
    return wide if _padded(channels, wide) <= _padded(channels, narrow) else narrow


def _padded(count: int, size: int) -> int:
    return -(-count // size) * size


def rows_for(lanes: int) -> int:
    """Rows of a tile of this many lanes whose sums all stay in registers."""
    vectors = -(-lanes // width())
    return ROWS[REGISTERS[level()]][vectors]
