"""What one core of a CPU can do, by the width of its vectors: what predicted times go by.

The figures are constants and are not measured where they are used: the kernel that is chosen, and
so the bits of a result, must not depend on what else a machine did when a process began. AVX2's are
of an AMD EPYC of the Zen 3 family, AVX-512's of the Zen 5 family, both rounded, by ``gpuconv
bench``'s ceilings on one thread. Predicted times are in seconds of one core, whatever the number of
threads: that number must not change a choice either.
"""

from dataclasses import dataclass

from . import simd


@dataclass(frozen=True)
class Rates:
    """Of one core: operations a second from registers (2 per multiply-add), bytes a second read
    plus written where memory is copied."""

    flops: float
    bandwidth: float


RATES = {
    "avx512": Rates(flops=2.5e11, bandwidth=3.5e10),
    "avx2": Rates(flops=9e10, bandwidth=1.5e10),
    "generic": Rates(flops=4.5e10, bandwidth=1.5e10),
}


def rates() -> Rates:
    """Those of the width in force (``GPUCONV_SIMD``)."""
    return RATES[simd.level()]
