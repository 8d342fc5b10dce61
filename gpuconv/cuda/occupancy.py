"""How many blocks a multiprocessor holds at once, from what a compiled kernel needs.

Figures: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"; granularity
of allocation as in NVIDIA's occupancy calculator.
"""

from dataclasses import dataclass

WARP = 32
REGISTERS = 65536  # of a multiprocessor, on every architecture here
REGISTER_UNIT = 256  # they are handed to a warp in such units
SHARED_UNIT = 128  # bytes


@dataclass(frozen=True)
class Multiprocessor:
    """What one holds at most; a block may have ``shared_block`` bytes of the ``shared`` ones.

    ``reserved``: bytes of shared memory that the system takes from each block.
    """

    warps: int
    blocks: int
    shared: int
    shared_block: int
    reserved: int = 1024


KIB = 1024
MULTIPROCESSORS = {
    "sm_75": Multiprocessor(32, 16, 64 * KIB, 64 * KIB, reserved=0),
    "sm_80": Multiprocessor(64, 32, 164 * KIB, 163 * KIB),
    "sm_86": Multiprocessor(48, 16, 100 * KIB, 99 * KIB),
    "sm_89": Multiprocessor(48, 24, 100 * KIB, 99 * KIB),
    "sm_90a": Multiprocessor(64, 32, 228 * KIB, 227 * KIB),
    "sm_100": Multiprocessor(64, 32, 228 * KIB, 227 * KIB),
    "sm_120": Multiprocessor(48, 24, 100 * KIB, 99 * KIB),
}
ARCHS = tuple(MULTIPROCESSORS)  # every architecture that kernels are compiled for


def blocks_per_sm(arch: str, threads: int, registers: int, shared: int) -> int:
    """Blocks of ``threads`` threads at once; 0 where a single one does not fit.

    ``registers`` are a thread's, ``shared`` a block's bytes, static and dynamic.
    """
    limits = MULTIPROCESSORS[arch]
    if shared > limits.shared_block:
        return 0
    warps = _ceil(threads, WARP)
    per_warp = _ceil(registers * WARP, REGISTER_UNIT) * REGISTER_UNIT
    taken = _ceil(shared + limits.reserved, SHARED_UNIT) * SHARED_UNIT
    by_shared = limits.shared // taken if taken else limits.blocks
    return min(limits.blocks, limits.warps // warps, REGISTERS // per_warp // warps, by_shared)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
