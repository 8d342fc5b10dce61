"""A pool of threads for jobs of a few microseconds and more, on machines that are busy, too.

The thread that asks works on the job itself and never waits for a thread that has not begun:
where the system has put the others aside, it does all the work. OpenMP waits for every thread at
the end of every loop, which on a busy machine takes milliseconds each time.

A thread that has nothing to do looks for a job a little while and then sleeps.
"""

import atexit
import ctypes
import os
import threading
import time
from functools import cache
from typing import Any

import numpy as np

from . import crew, native

SPINS = 100_000  # looks for a job, some milliseconds, before a thread sleeps: to wake it takes long
MOST = 62  # threads besides the one that asks: bits of a word say whom to wake


@cache
def _function(part: crew.Part) -> Any:
    kinds = [ctypes.c_int64] * (part.parameters + 1)
    return ctypes.CFUNCTYPE(*kinds)(native.address(part))


@cache
def _address(part: crew.Part) -> int:
    return native.address(part)


class Pool:
    """Threads that share the indices of one job at a time."""

    def __init__(self) -> None:
        size = crew.TICKET + crew.THREAD * (MOST + 1)
        words = np.zeros(size + crew.LINE, np.int64)
        self._memory = words[-words.ctypes.data // 8 % crew.LINE :][:size]  # whole cache lines
        self._memory[crew.TICKET :: crew.THREAD] = crew.INDEX
        self._state = self._memory.ctypes.data
        self._busy = threading.Lock()
        self._beds: list[Any] = []
        self._threads: list[threading.Thread] = []

    def run(self, function: int, fields: int, count: int, threads: int) -> None:
        """Call ``function(fields, i)`` for every i below ``count``, on so many threads at most.

        While another Python thread has the pool, on this one alone.
        """
        others = min(threads, count, MOST + 1) - 1
        if others < 1 or not self._busy.acquire(blocking=False):
            _function(crew.ALONE)(function, fields, count)
            return
        try:
            self._hire(others)
            self._wake(_function(crew.POST)(self._state, function, fields, count, others))
            self._finish()
        finally:
            self._busy.release()

    def replay(self, jobs: int, count: int, threads: int) -> None:
        """Run ``count`` jobs one after the other, crew.WORDS each at an address: a function, its
        fields, its count, and how many threads may help.

        While another Python thread has the pool, on this one alone.
        """
        others, alone = min(threads, MOST + 1) - 1, True
        if others > 0:
            alone = not self._busy.acquire(blocking=False)
        try:
            self._replay(jobs, count, 0 if alone else others)
        finally:
            if not alone:
                self._busy.release()

    def _replay(self, jobs: int, count: int, others: int) -> None:
        self._hire(others)
        parts = (_address(part) for part in (crew.POST, crew.LEAD, crew.ALONE))
        given, at = (*parts, others, SPINS), 0
        while True:
            at = _function(crew.REPLAY)(self._state, jobs, at, count, *given)
            if at == count:
                return
            self._wake(int(self._memory[crew.WOKEN]))
            self._finish()
            at += 1

    def _wake(self, woken: int) -> None:
        """Wake every thread whose bit is set."""
        while woken:
            bed = woken.bit_length() - 1
            self._beds[bed].release()
            woken -= 1 << bed

    def _finish(self) -> None:
        """Work on the job that was posted until all of it is done."""
        while not _function(crew.LEAD)(self._state, SPINS):
            time.sleep(0)

    def _hire(self, count: int) -> None:
        while len(self._threads) < count:
            bed = threading.Lock()
            bed.acquire()
            me = len(self._threads)
            made = threading.Thread(target=self._serve, args=(me, bed), daemon=True)
            self._beds.append(bed)
            self._threads.append(made)
            made.start()

    def _serve(self, me: int, bed: Any) -> None:
        while not _function(crew.SERVE)(self._state, me + 1, SPINS):
            bed.acquire()

    def close(self) -> None:
        """End every thread: their code must not run when it is unloaded."""
        self._memory[crew.STOP] = 1
        for thread, bed in zip(self._threads, self._beds, strict=True):
            if bed.locked():
                bed.release()
            thread.join()


_POOLS: dict[int, Pool] = {}  # by process: a forked child has none of its parent's threads
_LOCKS = {os.getpid(): threading.Lock()}


def pool() -> Pool:
    """The process' pool."""
    me = os.getpid()
    if me not in _POOLS:
        with _LOCKS.setdefault(me, threading.Lock()):
            if me not in _POOLS:
                _POOLS[me] = Pool()
    return _POOLS[me]


@atexit.register
def _close() -> None:
    if os.getpid() in _POOLS:
        _POOLS[os.getpid()].close()
