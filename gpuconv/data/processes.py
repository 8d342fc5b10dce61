"""Child processes that read data: spawned, quiet on Ctrl-C, gone when their parent is.

They are spawned and never forked: a fork copies locks that OpenMP's threads hold.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

SPAWN = multiprocessing.get_context("spawn")


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end at once when it has ended, however that was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def start(target: Callable[..., None], *arguments: Any) -> Any:
    """A daemon process that runs ``target(*arguments)``; what it is given travels by pickle."""
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def end(process: Any) -> None:
    """Stop a process whatever it is doing, and wait until it is gone."""
    with suppress(ValueError):  # closed already
        process.kill()
        process.join()
        process.close()


def cores() -> int:
    """How many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
