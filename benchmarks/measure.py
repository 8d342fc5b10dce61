"""The one way to time a kernel: whole calls, after a warm-up, the caches cold.

On a CUDA GPU the time is the GPU's own, between two events on the stream; elsewhere the clock's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from gpuconv import device as devices
from gpuconv.cuda import Event
from gpuconv.device import CUDA, EMULATED, Device

FLUSH = 256 << 20  # bytes written between two runs: more than any GPU's cache holds


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of ``runs``, the shortest, the longest."""

    median: float
    shortest: float
    longest: float
    runs: int


def measure(
    call: Callable[[], Any], device: Device, *, seconds: float = 0.2, runs: int = 20
) -> Timing:
    """Time ``call`` up to ``runs`` times, or fewer once ``seconds`` have gone; at least three.

    The first call, which may compile, does not count. An emulated GPU, whose time means nothing,
    is called once more and no more.
    """
    timed = _on_gpu if device == CUDA else _on_clock
    flush = _flush(device)
    call()
    found: list[float] = []
    begin = perf_counter()
    least, most = (1, 1) if device == EMULATED else (3, runs)
    while len(found) < least or (len(found) < most and perf_counter() - begin < seconds):
        flush()
        found.append(timed(call))
    return Timing(median(found), min(found), max(found), len(found))


def _on_gpu(call: Callable[[], Any]) -> float:
    begin, end = Event(), Event()
    begin.record()
    call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


def _on_clock(call: Callable[[], Any]) -> float:
    begin = perf_counter()
    call()
    return perf_counter() - begin


def _flush(device: Device) -> Callable[[], None]:
    """Push everything else out of the GPU's cache; nothing on other devices."""
    if device != CUDA:
        return lambda: None
    scratch = devices.empty((FLUSH,), "uint8", device)

    def write() -> None:
        scratch[...] = 0

    return write
