"""Recordings: what the CPU did for a call, to be done again on the same memory without Python.

    recording = Recording()
    with recording.under_way():
        y = net(x)
    x[...] = other
    recording.play()  # y is net(other) now

A step of a small net costs more in Python than in its kernels. Recorded are the jobs that went to
the thread pool, as their addresses, and what was said to ``host``; neither shapes nor choices of
kernels are looked at again. What the recording allocates comes from memory of its own, laid out as
it was while recording: an array whose place was used again then is lost again at each ``play``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any

import numpy as np

from . import memory

TRIALS = 8  # calls in which jobs are tried alone and shared
SHORT = 5e-5  # seconds: a job that takes longer when it is shared is not tried alone
EVERYONE = 1 << 20  # threads that may help
_CURRENT: ContextVar["Recording | None"] = ContextVar("gpuconv_recording", default=None)


def current() -> "Recording | None":
    """The recording that is under way here, or None."""
    return _CURRENT.get()


def host(function: Callable, *arguments: Any) -> None:
    """Call ``function``; a recording that is under way calls it again each time it is played.

    For what is not done by tasks: the function must work in place, on the arrays that it is given.
    """
    recording = _CURRENT.get()
    if recording is None:
        function(*arguments)
        return
    with _paused():
        function(*arguments)
    recording.steps.append(lambda: function(*arguments))


@contextmanager
def _paused() -> Iterator[None]:
    token = _CURRENT.set(None)
    try:
        with memory.lent_by(None):
            yield
    finally:
        _CURRENT.reset(token)


class Recording:
    """The jobs and calls of one run, in their order; what they need stays alive with it."""

    def __init__(self) -> None:
        self.steps: list[Callable[[], None] | Jobs] = []
        self._shelf = memory.Shelf(limit=None)
        self._held: dict[int, Any] = {}
        self._numbers: dict[str, np.ndarray] = {}

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Record what this thread does inside; a second time adds to it."""
        token = _CURRENT.set(self)
        try:
            with memory.lent_by(self._shelf):
                yield
        finally:
            _CURRENT.reset(token)

    def job(self, function: int, fields: np.ndarray, count: int) -> None:
        """Note a job of the thread pool; ``fields`` must not change afterwards."""
        last = self.steps[-1] if self.steps else None
        jobs = last if isinstance(last, Jobs) else Jobs()
        jobs.add(function, fields, count)
        if jobs is not last:
            self.steps.append(jobs)

    def hold(self, *objects: Any) -> None:
        """Keep objects whose addresses a job knows, unless their memory is the recording's own."""
        for thing in objects:
            if isinstance(thing, np.ndarray) and not memory.is_lent(thing, self._shelf):
                self._held[id(thing)] = thing

    def number(self, name: str, value: int) -> np.ndarray:
        """An int64 0-d array of this name, the same each time, for what changes between plays."""
        kept = self._numbers.setdefault(name, np.zeros((), np.int64))
        kept[...] = value
        return kept

    def play(self, first: int = 0, last: int | None = None) -> None:
        """Do all of it again, or what was noted from ``first`` on and before ``last``."""
        with np.errstate(all="ignore"):
            for step in self.steps[first:last]:
                step()


class Jobs:
    """Jobs of the thread pool that follow each other, run by one call.

    To share a short job may take longer than to do it alone. The first calls try both ways in turn,
    and each short job keeps the one that was faster; what it computes does not depend on that.
    """

    def __init__(self) -> None:
        self._jobs: list[tuple[int, int, int, int]] = []
        self._fields: list[np.ndarray] = []
        self._table: np.ndarray | None = None
        self._tried: list[list[float]] = []

    def add(self, function: int, fields: np.ndarray, count: int) -> None:
        self._jobs.append((function, fields.ctypes.data, count, EVERYONE))
        self._fields.append(fields)
        self._table, self._tried = None, []

    def __call__(self) -> None:
        from .pool import pool
        from .threads import get_num_threads

        if self._table is None:
            self._table = np.array(self._jobs, np.int64)
        threads = get_num_threads()
        if threads > 1 and len(self._tried) < TRIALS:
            self._try(self._table, threads)
        else:
            pool().replay(self._table.ctypes.data, len(self._jobs), threads)

    def _try(self, table: np.ndarray, threads: int) -> None:
        """One job at a time: all shared, and at every second call the short ones alone."""
        from .pool import pool

        turn, took = len(self._tried), []
        table[:, -1] = EVERYONE
        if turn % 2:
            table[self._best(0) < SHORT, -1] = 0
        for job in table:
            begin = perf_counter()
            pool().replay(job.ctypes.data, 1, threads)
            took.append(perf_counter() - begin)
        self._tried.append(took)
        if turn + 1 == TRIALS:
            shared, alone = self._best(0), self._best(1)
            table[:, -1] = np.where((shared < SHORT) & (alone <= shared), 0, EVERYONE)

    def _best(self, way: int) -> np.ndarray:
        """Seconds of each job: the least of the calls that tried it this way."""
        return np.min(self._tried[way::2], axis=0)
