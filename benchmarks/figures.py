"""One line of a benchmark: a kernel or a peer on a case, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log
from typing import Any

from .cpu_vs_peers.ceilings import Ceilings
from .measure import Timing

MEASURED, WRONG, REFUSED, ABSENT, FAILED, STATIC, NO_GPU = (
    *("measured", "wrong", "refuses", "not installed", "failed", "static", "no GPU"),
)


@dataclass(frozen=True)
class Row:
    """Seconds of a call, its work, its workspace in bytes and its error in eps * scale.

    ``ratio``: how many times as long as the kernel that gpuconv takes by itself (``is_chosen``).
    ``suite``: what kind of thing was timed. ``peak``: bytes that a process of its own held at most.
    ``roofline``: the share of what the ceilings allow; above 1 where the values fit in a cache.
    """

    case: str
    op: str
    problem: str
    batch: int | None
    name: str
    is_peer: bool
    state: str
    note: str = ""
    is_chosen: bool = False
    timing: Timing | None = None
    ratio: float | None = None
    flops: int = 0
    bytes: int = 0
    workspace: int | None = None
    error: float | None = None
    allowed: float | None = None
    roofline: float | None = None
    suite: str = "kernels"
    peak: int | None = None

    @property
    def images(self) -> float | None:
        """Images a second, of a whole net."""
        if self.suite != "nets" or self.timing is None or self.batch is None:
            return None
        return self.batch / self.timing.median

    @property
    def gflops(self) -> float | None:
        """Billions of operations a second: direct convolution's, whatever the kernel does."""
        return self.flops / self.timing.median / 1e9 if self.timing and self.flops else None

    @property
    def gigabytes(self) -> float | None:
        """Billions of bytes a second, of those that must be moved at least."""
        return self.bytes / self.timing.median / 1e9 if self.timing and self.bytes else None


def batch_of(problem: Any) -> int | None:
    """How many images a problem has: its ``n``, or the first of its ``shape``; None of neither."""
    shape = getattr(problem, "shape", ())
    found = getattr(problem, "n", shape[0] if shape else None)
    return None if found is None else int(found)


def share(flops: int, moved: int, seconds: float, roof: Ceilings) -> float:
    """The share of the roofline: the least time that the ceilings allow, over the time taken.

    Williams, Waterman and Patterson 2009, "Roofline", section 3.
    """
    return max(flops / roof.flops, moved / roof.bandwidth) / seconds


def geometric_mean(ratios: Iterable[float]) -> float | None:
    """The geometric mean of positive numbers, None of none."""
    logs = [log(ratio) for ratio in ratios]
    return exp(sum(logs) / len(logs)) if logs else None
