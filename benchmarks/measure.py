"""The one way to time a kernel: whole calls, after a warm-up, the caches cold.

On a CUDA GPU the time is the GPU's own, between two events on the stream; elsewhere the clock's.
``interleaved`` times rivals in turn, so that whatever slows the machine slows them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb
from statistics import median
from time import perf_counter, sleep
from typing import Any

from gpuconv import device as devices
from gpuconv.cuda import Event
from gpuconv.device import Device

REST = 0.04  # seconds between two rivals: a library's threads spin for a while after their work
BURST = 0.02  # seconds of calls in a row that count as one sample
WARM = 5  # more calls before the first that counts, where they are short
MARGIN = 0.03  # of a time: a smaller gain is not worth a change
CHANCE = 0.05  # that equal rivals look as different as that, at most
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
    timed = _on_gpu if device.kind == "cuda" else _on_clock
    flush = _flush(device)
    call()
    found: list[float] = []
    begin = perf_counter()
    least, most = (1, 1) if device.kind == "emulated" else (3, runs)
    while len(found) < least or (len(found) < most and perf_counter() - begin < seconds):
        flush()
        found.append(timed(call))
    return Timing(median(found), min(found), max(found), len(found))


@dataclass(frozen=True)
class Rivals:
    """Seconds of a call of every rival, round by round."""

    samples: Mapping[str, list[float]]

    def timing(self, name: str) -> Timing:
        """The rival's median, shortest and longest call."""
        found = self.samples[name]
        return Timing(median(found), min(found), max(found), len(found))

    def ratio(self, name: str, other: str) -> float:
        """How many times as long ``name`` takes as ``other``: the median over the rounds."""
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        return median(mine / theirs for mine, theirs in pairs)

    def beats(self, name: str, other: str) -> bool:
        """Whether ``name`` is faster than ``other`` beyond the noise.

        By MARGIN in the median, and in more of the rounds than chance explains (a sign test): all
        of five, seven of eight, twelve of fifteen.
        """
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        won = [mine < theirs for mine, theirs in pairs]
        rounds, lost = len(won), won.count(False)
        chance = sum(comb(rounds, k) for k in range(lost + 1)) / 2**rounds
        return self.ratio(name, other) <= 1 - MARGIN and chance <= CHANCE


def interleaved(
    calls: Mapping[str, Callable[[], float | None]],
    *,
    seconds: float = 3.0,
    rounds: int = 30,
    rests: int = 1,
    least: int = 3,
) -> Rivals:
    """Time every call in each round, at least ``least`` rounds, until ``seconds`` have gone.

    Some calls of each come first and do not count. Short calls are made several times in a row and
    count as their mean, without the first, which has to wake the threads of its library. A call
    that returns a number timed itself, in another process. ``rests`` is how long a rest there is
    between two rivals, in units of REST.
    """
    lengths = {name: _length(call) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    begin, done = perf_counter(), 0
    while done < least or (done < rounds and perf_counter() - begin < seconds):
        for name, call in calls.items():
            sleep(rests * REST)
            samples[name].append(_burst(call, lengths[name]))
        done += 1
    return Rivals(samples)


def quick(call: Callable[[], float | None]) -> float:
    """Seconds of a call, roughly: the shorter of two."""
    return min(_one(call), _one(call))


def _length(call: Callable[[], float | None]) -> float:
    """About how long a call takes once it has compiled and allocated what it needs."""
    length = quick(call)
    return length if length > WARM * BURST else min(length, *(_one(call) for _ in range(WARM)))


def _burst(call: Callable[[], float | None], length: float) -> float:
    """Seconds of a call; of a short one the mean of many between two looks at the clock."""
    if length > BURST:
        return _one(call)
    own = call()
    count = int(BURST / length) + 1
    if own is not None:
        return sum(call() or 0.0 for _ in range(count)) / count
    begin = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - begin) / count


def _one(call: Callable[[], float | None]) -> float:
    begin = perf_counter()
    own = call()
    return perf_counter() - begin if own is None else own


def on(device: Device, call: Callable[[], Any]) -> Callable[[], float | None]:
    """``call`` as a rival on that device: a GPU's counts its own seconds, its caches cold."""
    if device.kind != "cuda":
        return call
    flush = _flush(device)

    def own() -> float:
        flush()
        return _on_gpu(call)

    return own


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
    if device.kind != "cuda":
        return lambda: None
    scratch = devices.empty((FLUSH,), "uint8", device)

    def write() -> None:
        scratch[...] = 0

    return write


def main() -> None:
    """Print what the harness adds to every call: the time of a kernel that does nothing."""
    timing = interleaved({"nothing": lambda: None}, seconds=2.0).timing("nothing")
    print(
        f"an empty kernel: {1e9 * timing.median:.0f} ns, under 1 % of {1e8 * timing.median:.0f} us"
    )


if __name__ == "__main__":
    main()
