"""Runs the items of a session in order, in a process that may die of one of them."""

import math
import os
import signal
import time
import traceback
from threading import Thread
from typing import Any

from . import progress
from .items import Item, Session, Unavailable
from .steps import items

FINISHED, AGAIN = 0, 75  # exit codes; AGAIN: the GPU needs a new process
LONG = 150.0  # seconds: an item with a longer limit is only begun where all of it fits
POLL = 0.5
LOSSES = ("CUDARuntimeError", "CUDADriverError", "CudaAPIError", "AcceleratorError")


def work(session: Session, deadline: float, length: float = math.inf) -> int:
    """Run what is open until the deadline (of time.time()); returns an exit code.

    ``length``: seconds that the whole session has.
    """
    for item in _waiting(session, deadline - length):
        left = deadline - time.time()
        if left <= 0:
            late(session)
            break
        if not item.always and item.limit > LONG and left < item.limit <= length:
            progress.append(session.rows, step=item.step, key=item.key, reason=progress.LATER)
        elif _run(session, item):
            return AGAIN
    return FINISHED


def _waiting(session: Session, begin: float) -> list[Item]:
    """Open items; where there are any, also what every session does and this one has not yet."""
    rows, every = progress.read(session.rows), list(items(session))
    states = {item: progress.state(rows.get((item.step, item.key))) for item in every}
    if "open" not in states.values():
        return []
    stale = {
        item for item in every
        if item.always and states[item] == "done" and _at(rows[item.step, item.key]) < begin
    }  # fmt: skip
    return [item for item in every if states[item] == "open" or item in stale]


def _at(row: dict[str, Any]) -> float:
    at = row.get("at")
    return at if isinstance(at, float) else 0.0


def late(session: Session) -> None:
    """Write a row for everything that did not come to an end."""
    rows = progress.read(session.rows)
    for item in items(session):
        row = rows.get((item.step, item.key))
        if row is None or progress.state(row) == "begun":
            progress.append(session.rows, step=item.step, key=item.key, reason=progress.LATER)


def end_with(parent: int) -> None:
    """End this process and all that it started once ``parent`` is gone: nobody would watch it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    Thread(target=watch, daemon=True).start()


def _run(session: Session, item: Item) -> bool:
    """Run one item and write its row; True if the process cannot go on."""
    progress.begin(session.rows, item.step, item.key, item.limit, os.getpid())
    begin = time.perf_counter()
    outcome: dict[str, Any]
    lost = False
    try:
        outcome = {"result": item.run()}
    except Unavailable as reason:
        outcome = {"reason": str(reason)}
    except Exception as error:  # an item may raise anything; the session goes on
        outcome = {"error": f"{type(error).__name__}: {error}", "trace": _trace(error)}
        lost = is_lost(error)
    seconds = time.perf_counter() - begin
    progress.append(session.rows, step=item.step, key=item.key, seconds=seconds, **outcome)
    return lost


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-2000:]


def is_lost(error: BaseException | None) -> bool:
    """Is it an error after which, as after an illegal access, nothing runs here any more?"""
    while error is not None:
        if type(error).__name__ in LOSSES:
            return True
        error = error.__cause__ or error.__context__
    return False
