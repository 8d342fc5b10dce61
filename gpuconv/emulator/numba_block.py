"""The threads of a block: each runs until it waits or ends; those who waited together go on."""

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NoReturn

from .errors import BarrierError
from .numba_arrays import WARP, Fault, Now
from .numba_names import Cuda, Dim, Stop


class Thread:
    """A thread that can wait: ``stop`` is what for, None while it runs; ``ended`` once it has."""

    __slots__ = ("answer", "ended", "index", "number", "place", "program", "stop")

    def __init__(self, number: int, index: Dim, program: Generator) -> None:
        self.number, self.index, self.program = number, index, program
        self.stop: Stop | None = None
        self.place: Any = None
        self.answer: Any = None
        self.ended = False

    def advance(self) -> None:
        """Run to the next stop, or to the end."""
        try:
            self.stop = self.program.send(self.answer)
            frame = self.frame()
            self.place = id(frame.f_code), frame.f_lasti
        except StopIteration:
            self.stop, self.place, self.ended = None, None, True

    def frame(self) -> Any:
        """Where it waits: in the kernel, or in a device function."""
        program: Any = self.program
        while program.gi_yieldfrom is not None:
            program = program.gi_yieldfrom
        return program.gi_frame

    def state(self) -> str:
        """In words, where it is."""
        if self.stop is None:
            return "ended before"
        return f"at {self.stop.name} in line {self.frame().f_lineno}"

    def fault(self, message: str) -> Fault:
        """A fault at the barrier or collective where it waits."""
        frame = self.frame()
        where = frame.f_code.co_filename, frame.f_lineno
        return Fault(BarrierError, f"{self.stop.name}: {message}", where)  # type: ignore[union-attr]


class Order:
    """In which order threads and blocks run: the same for the same ``order`` and ``seed``."""

    def __init__(self, order: str, seed: int) -> None:
        self._order, self._random = order, random.Random(seed)

    def of(self, items: Iterable[Any]) -> list[Any]:
        """The items in that order; random ones in another each time."""
        found = list(items)
        if self._order == "descending":
            found.reverse()
        elif self._order == "random":
            self._random.shuffle(found)
        return found


def indices(sizes: Dim) -> Iterator[Dim]:
    """Threads of a block, or blocks of a grid, by number: x runs fastest."""
    for z in range(sizes.z):
        for y in range(sizes.y):
            yield from (Dim(x, y, z) for x in range(sizes.x))


class Block:
    """Runs the threads of one block; ``now`` and ``cuda`` say which one it is."""

    def __init__(self, cuda: Cuda, now: Now, order: Order) -> None:
        self._cuda, self._now, self._order = cuda, now, order

    def run(self, kernel: Callable, args: tuple, waits: bool) -> None:
        """All threads to their end; whatever the kernel raises, or a Fault, goes through."""
        everyone = enumerate(indices(self._cuda.blockDim))
        if waits:
            self._together([Thread(n, index, kernel(*args)) for n, index in everyone])
            return
        for number, index in self._order.of(everyone):
            self._enter(number, index)
            kernel(*args)

    def _enter(self, number: int, index: Dim) -> None:
        self._now.enter(number, index)
        self._cuda.threadIdx, self._cuda.laneid = index, number % WARP

    def _together(self, threads: list[Thread]) -> None:
        warps = [threads[i : i + WARP] for i in range(0, len(threads), WARP)]
        running = threads
        while running:
            for thread in self._order.of(running):
                self._enter(thread.number, thread.index)
                thread.advance()
                if thread.stop is not None and not _names(thread.stop, thread):
                    raise thread.fault("its mask leaves out the lane that calls it")
            running = [t for warp in warps for t in self._complete_lanes(warp)]
            running = running or self._complete_block(threads)

    def _complete_lanes(self, warp: list[Thread]) -> Iterator[Thread]:
        """The lanes of complete collectives, with their answers."""
        stopped = [t for t in warp if t.stop is not None and t.stop.mask is not None]
        for key in dict.fromkeys((t.place, t.stop.mask) for t in stopped if t.stop):
            lanes = [t for t in stopped if t.stop and (t.place, t.stop.mask) == key]
            if len(lanes) == sum(_names(lanes[0].stop, t) for t in warp):
                if lanes[0].stop.name == "syncwarp":  # type: ignore[union-attr]
                    self._now.warp_barrier(lanes[0].number // WARP)
                yield from self._answered(lanes, WARP)

    def _complete_block(self, threads: list[Thread]) -> list[Thread]:
        """All threads, if they wait at one barrier; none, if all have ended; else a fault."""
        first = next((t for t in threads if not t.ended), None)
        if first is None:
            return []
        if any(t.place != first.place or t.stop.mask is not None for t in threads if t.stop):
            self._stuck(threads, first)
        if any(t.ended for t in threads):
            self._stuck(threads, first)
        self._now.barrier()
        return list(self._answered(threads, len(threads)))

    def _stuck(self, threads: list[Thread], first: Thread) -> NoReturn:
        """Say who waits where, at the collective that is incomplete, else at the barrier."""
        late = next((t for t in threads if t.stop and t.stop.mask is not None), first)
        stop: Any = late.stop
        start = late.number // WARP * WARP
        whole = threads if stop.mask is None else threads[start : start + WARP]
        self._enter(late.number, late.index)
        raise late.fault(f"not all of its threads reach it: {_listed(whole, stop)}")

    def _answered(self, threads: Sequence[Thread], modulus: int) -> Iterator[Thread]:
        stops: list[Any] = [t.stop for t in threads]
        values = {t.number % modulus: s.value for t, s in zip(threads, stops, strict=True)}
        for thread, stop in zip(threads, stops, strict=True):
            self._enter(thread.number, thread.index)
            try:
                thread.answer = stop.answer(values, thread.number % modulus)
            except Fault as fault:
                raise thread.fault(str(fault)) from None
        for thread in threads:
            thread.stop = None
            yield thread


def _names(stop: Any, thread: Thread) -> bool:
    """Whether the thread is one of those that the stop waits for."""
    return stop.mask is None or bool(stop.mask >> thread.number % WARP & 1)


def _listed(threads: list[Thread], stop: Stop) -> str:
    named = [t for t in threads if _names(stop, t)]
    states = [(t.state(), t.number) for t in named]
    groups = groupby(sorted(states), key=lambda pair: pair[0])
    found = [(state, [number for _, number in pairs]) for state, pairs in groups]
    return "; ".join(f"{len(n)} of them, first thread {n[0]}, {state}" for state, n in found)
