"""The one way to time a kernel: whole calls, after a warm-up, the caches cold.

On a CUDA GPU the time is the GPU's own, between two events on the stream; elsewhere the clock's.
``interleaved`` times rivals in turn, so that whatever slows the machine slows them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from math import comb
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import Any

from gpuconv import device as devices
from gpuconv.cuda import Event
from gpuconv.device import Device

REST = 0.04  # seconds between two rivals: a library's threads spin for a while after their work
BURST = 0.02  # seconds of calls in a row that count as one sample
WARM = 5  # more calls before the first that counts, where they are short
LEAST = 3  # rounds
SLOW = 10  # times the fastest rival: further rounds would tell little
LONG = 1.0  # seconds: so long a call needs no other one to warm up
MARGIN = 0.03  # of a time: a smaller gain is not worth a change
CHANCE = 0.05  # that equal rivals look as different as that, at most
FLUSH = 256 << 20  # bytes written between two runs: more than any GPU's cache holds


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of ``runs``, the shortest, the longest, the quartiles."""

    median: float
    shortest: float
    longest: float
    runs: int
    low: float | None = None
    high: float | None = None


def timing_of(found: list[float]) -> Timing:
    """What the samples come to; quartiles where there are two or more."""
    low, high = (None, None) if len(found) < 2 else quantiles(found, method="inclusive")[::2]
    return Timing(median(found), min(found), max(found), len(found), low, high)


@dataclass(frozen=True)
class Clocked:
    """A rival that counts its own seconds, on a GPU or in another process.

    ``seconds(count)``: the mean of so many calls in a row.
    """

    seconds: Callable[[int], float]


Rival = Callable[[], Any] | Clocked


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
    return timing_of(found)


@dataclass(frozen=True)
class Rivals:
    """Seconds of a call of every rival, round by round; slow ones may have fewer rounds."""

    samples: Mapping[str, list[float]]

    def timing(self, name: str) -> Timing:
        """The rival's median, shortest and longest call."""
        return timing_of(self.samples[name])

    def ratio(self, name: str, other: str) -> float:
        """How many times as long ``name`` takes as ``other``: the median over shared rounds."""
        pairs = zip(self.samples[name], self.samples[other], strict=False)
        return median(mine / theirs for mine, theirs in pairs)

    def beats(self, name: str, other: str) -> bool:
        """Whether ``name`` is faster than ``other`` beyond the noise.

        By MARGIN in the median, and in more of the rounds than chance explains (a sign test): all
        of five, seven of eight, twelve of fifteen.
        """
        pairs = zip(self.samples[name], self.samples[other], strict=False)
        won = [mine < theirs for mine, theirs in pairs]
        rounds, lost = len(won), won.count(False)
        chance = sum(comb(rounds, k) for k in range(lost + 1)) / 2**rounds
        return self.ratio(name, other) <= 1 - MARGIN and chance <= CHANCE


def interleaved(
    calls: Mapping[str, Rival],
    *,
    seconds: float = 3.0,
    rounds: int = 30,
    rests: int = 1,
    least: int = LEAST,
) -> Rivals:
    """Time every call in each round, at least ``least`` rounds, until ``seconds`` have gone.

    Some calls of each come first and do not count. Short calls are made several times in a row and
    count as their mean, without the first, which has to wake the threads of its library. A rival
    that takes more than SLOW times as long as the fastest leaves after three samples, of which
    the first call is one where it takes longer than LONG. ``rests`` is how long a rest there is
    between two rivals, in units of REST.
    """
    lengths = {name: _length(call) for name, call in calls.items()}
    hopeless = {name for name in calls if lengths[name] > LONG and _is_slow(name, lengths)}
    samples = {name: [lengths[name]] if name in hopeless else [] for name in calls}
    begin, done, present = perf_counter(), 0, list(calls)
    while done < least or (done < rounds and perf_counter() - begin < seconds):
        for name in present:
            sleep(rests * REST)
            samples[name].append(_burst(calls[name], lengths[name]))
        done += 1
        present = [n for n in present if len(samples[n]) < LEAST or not _is_slow(n, lengths)]
    return Rivals(samples)


def _is_slow(name: str, lengths: Mapping[str, float]) -> bool:
    return lengths[name] > max(BURST, SLOW * min(lengths.values()))


def quick(call: Rival) -> float:
    """Seconds of a call, roughly: the shorter of two, unless that would take long."""
    first = seconds_of(call, 1)
    return min(first, seconds_of(call, 1)) if first < LONG else first


def _length(call: Rival) -> float:
    """About how long a call takes once it has compiled and allocated what it needs."""
    length = quick(call)
    if length > WARM * BURST:
        return length
    return min(length, *(seconds_of(call, 1) for _ in range(WARM)))


def _burst(call: Rival, length: float) -> float:
    """Seconds of a call; of a short one the mean of many between two looks at the clock."""
    if length > BURST:
        return seconds_of(call, 1)
    seconds_of(call, 1)
    return seconds_of(call, int(BURST / length) + 1)


def seconds_of(call: Rival, count: int) -> float:
    """The mean of so many calls in a row, by the rival's own clock if it has one."""
    return call.seconds(count) if isinstance(call, Clocked) else in_a_row(call, count)


def in_a_row(call: Callable[[], Any], count: int) -> float:
    """Seconds of a call: the mean of ``count`` between two looks at the clock.

    Eight calls to a turn of the loop: what the loop itself takes is then an eighth.
    """
    begin = perf_counter()
    for _ in repeat(None, count // 8):
        call()
        call()
        call()
        call()
        call()
        call()
        call()
        call()
    for _ in repeat(None, count % 8):
        call()
    return (perf_counter() - begin) / count


def on(device: Device, call: Callable[[], Any]) -> Rival:
    """``call`` as a rival on that device: a GPU's counts its own seconds, its caches cold."""
    if device.kind != "cuda":
        return call
    flush = _flush(device)

    def once() -> float:
        flush()
        return _on_gpu(call)

    return Clocked(lambda count: sum(once() for _ in range(count)) / count)


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
    nothing = interleaved({"nothing": partial(_nothing, (), (), None, None)}, seconds=2.0)
    timing = nothing.timing("nothing")
    print(
        f"an empty kernel: {1e9 * timing.median:.0f} ns, under 1 % of what takes "
        f"{1e8 * timing.median:.1f} us or more"
    )


def _nothing(outs: Any, ins: Any, problem: Any, work: Any) -> None:
    """A kernel without work."""


if __name__ == "__main__":
    main()
