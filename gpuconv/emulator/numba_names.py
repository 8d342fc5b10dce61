"""What a simulated kernel sees as the modules ``cuda`` and ``math``.

A barrier or a warp collective returns a ``Stop``, which the thread hands to the scheduler; the
answer comes back when all who must have come have come.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .errors import BarrierError
from .numba_arrays import WARP, Fault

ALL = 0xFFFFFFFF
Values = dict[int, Any]  # what each thread brought, by lane, or by number for the whole block


class Dim(NamedTuple):
    """Sizes or an index along x, y and z."""

    x: int
    y: int = 1
    z: int = 1


class Stop(NamedTuple):
    """What a thread waits for: its block, or the lanes of its warp that ``mask`` names."""

    name: str
    mask: int | None = None
    value: Any = None
    answer: Callable[[Values, int], Any] = lambda values, lane: None


class Cuda:
    """Numba's ``cuda`` at the thread that runs now; ``memory`` makes shared and local arrays."""

    __name__ = "numba.cuda"
    warpsize = WARP

    def __init__(self, memory: Any) -> None:
        self.blockDim = self.gridDim = self.blockIdx = self.threadIdx = Dim(0)
        self.laneid = 0
        self.shared = SimpleNamespace(array=memory.shared_array)
        self.local = SimpleNamespace(array=memory.local_array)
        self.atomic = SimpleNamespace(
            add=lambda array, at, value: memory.atomic(array, at, lambda old: old + value),
            max=lambda array, at, value: memory.atomic(array, at, lambda old: max(old, value)),
            min=lambda array, at, value: memory.atomic(array, at, lambda old: min(old, value)),
        )

    def grid(self, dimensions: int) -> Any:
        """The thread's place in the whole grid."""
        return _first(dimensions, zip(self.blockIdx, self.blockDim, self.threadIdx, strict=True))

    def gridsize(self, dimensions: int) -> Any:
        """The threads of the whole grid along each dimension."""
        return _first(dimensions, zip(self.gridDim, self.blockDim, (0, 0, 0), strict=True))

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """a * b + c, rounded once where double is wide enough."""
        return type(a)(np.float64(a) * np.float64(b) + np.float64(c))

    def threadfence(self) -> None:
        """Threads run one at a time: nothing is left to order."""

    threadfence_block = threadfence_system = threadfence

    def syncthreads(self) -> Stop:
        """Wait for the block."""
        return Stop("syncthreads")

    def syncthreads_count(self, predicate: Any) -> Stop:
        """Wait for the block; the number of threads where it holds."""
        return Stop("syncthreads_count", None, bool(predicate), lambda v, _: sum(v.values()))

    def syncthreads_and(self, predicate: Any) -> Stop:
        """Wait for the block; 1 where it holds for all."""
        return Stop("syncthreads_and", None, bool(predicate), lambda v, _: int(all(v.values())))

    def syncthreads_or(self, predicate: Any) -> Stop:
        """Wait for the block; 1 where it holds for one."""
        return Stop("syncthreads_or", None, bool(predicate), lambda v, _: int(any(v.values())))

    def syncwarp(self, mask: int = ALL) -> Stop:
        """Wait for lanes of the warp."""
        return Stop("syncwarp", mask)

    def shfl_sync(self, mask: int, value: Any, source: int) -> Stop:
        """Another lane's value."""
        return Stop("shfl_sync", mask, value, lambda v, _: _of_lane(v, source % WARP))

    def shfl_xor_sync(self, mask: int, value: Any, change: int) -> Stop:
        """The value of the lane whose number differs in these bits."""
        return Stop("shfl_xor_sync", mask, value, lambda v, lane: _of_lane(v, lane ^ change))

    def shfl_up_sync(self, mask: int, value: Any, distance: int) -> Stop:
        """The value of the lane that far below; a lane's own where there is none."""
        return Stop("shfl_up_sync", mask, value, lambda v, at: _of_lane(v, at - distance, at))

    def shfl_down_sync(self, mask: int, value: Any, distance: int) -> Stop:
        """The value of the lane that far above; a lane's own where there is none."""
        return Stop("shfl_down_sync", mask, value, lambda v, at: _of_lane(v, at + distance, at))

    def ballot_sync(self, mask: int, predicate: Any) -> Stop:
        """A bit for every lane where it holds."""
        return Stop(
            "ballot_sync", mask, bool(predicate), lambda v, _: sum(p << at for at, p in v.items())
        )

    def any_sync(self, mask: int, predicate: Any) -> Stop:
        """Whether it holds for a lane."""
        return Stop("any_sync", mask, bool(predicate), lambda v, _: any(v.values()))

    def all_sync(self, mask: int, predicate: Any) -> Stop:
        """Whether it holds for all lanes."""
        return Stop("all_sync", mask, bool(predicate), lambda v, _: all(v.values()))


def _first(dimensions: int, parts: Any) -> Any:
    values = tuple(block * size + thread for block, size, thread in parts)
    return values[0] if dimensions == 1 else values[:dimensions]


def _of_lane(values: Values, source: int, instead: int | None = None) -> Any:
    lane = source if instead is None or 0 <= source < WARP else instead
    if lane not in values:
        raise Fault(BarrierError, f"reads from lane {lane}, which takes no part")
    return values[lane]


# Unlike Python's, these keep float32 as it is and give infinity where a number is too large.
MATH = SimpleNamespace(
    **{
        name: getattr(np, name)
        for name in (
            *("ceil", "cos", "exp", "expm1", "fabs", "floor", "isinf", "isnan", "log", "log1p"),
            *("sin", "sqrt", "tanh"),
        )
    },
    inf=np.inf,
    nan=np.nan,
    pi=np.pi,
)
