"""What one core of a CPU does in a second, by the width of its vectors: predicted times go by it.

The figures are constants and are not measured where they are used: the kernel that is chosen, and
so the bits of a result, must not depend on what else a machine did when a process began. AVX2's are
of an AMD EPYC of the Zen 3 family, AVX-512's of the Zen 5 family, both rounded: the ceilings by
``gpuconv bench`` on one thread, the others so that ``python -m gpuconv.benchmarks.cost_score``
chooses well. Nobody has measured a narrower CPU: half of AVX2's arithmetic. Predicted times are in
seconds of one core, whatever the number of threads, which must not change a choice either.
"""

from dataclasses import dataclass

from . import simd


@dataclass(frozen=True)
class Rates:
    """Of one core: operations (2 per multiply-add) or bytes a second.

    ``flops``, ``bandwidth``: the ceilings, from registers and copied from memory to memory.
    ``tile``: operations of a convolution's tile. ``rows``: of numba:tiled, the linear kernel.
    ``blas``: of NumPy's products. ``stream``: bytes of a plain pass over arrays. Bytes moved in a
    convolution: ``copy``, as they lie; ``columns``, windows to columns; ``add``, sums beside them;
    ``reorder``, channels into blocks or out of them; ``pack``, weights in the order of a tile;
    ``transform``, tiles and weights through Winograd's transforms.
    """

    flops: float
    bandwidth: float
    tile: float
    rows: float
    blas: float
    stream: float
    copy: float
    columns: float
    add: float
    reorder: float
    pack: float
    transform: float


AVX2 = Rates(
    flops=9e10, bandwidth=1.5e10, tile=9e10, rows=8e10, blas=7.5e10, stream=1e10,
    copy=1e10, columns=8e9, add=3e10, reorder=3e9, pack=2.4e9, transform=9.5e9,
)  # fmt: skip
AVX512 = Rates(
    flops=2.5e11, bandwidth=3.5e10, tile=2.3e11, rows=1.6e11, blas=1.2e11, stream=2e10,
    copy=3.2e10, columns=6.5e9, add=1.1e11, reorder=6.3e9, pack=4.6e9, transform=1.25e10,
)  # fmt: skip
GENERIC = Rates(**{**vars(AVX2), "flops": 4.5e10, "tile": 4.5e10, "rows": 4e10, "blas": 3.7e10})
RATES = {"avx512": AVX512, "avx2": AVX2, "generic": GENERIC}


def rates() -> Rates:
    """Those of the width in force (``GPUCONV_SIMD``)."""
    return RATES[simd.level()]
