"""Runs the items of a session in order, in a process that may die of one of them."""

import os
import time
import traceback
from typing import Any

from . import progress
from .items import Item, Session, Unavailable
from .steps import items

FINISHED, AGAIN = 0, 75  # exit codes; AGAIN: the GPU needs a new process


def work(session: Session, deadline: float) -> int:
    """Run what is open until the deadline (of time.time()); returns an exit code."""
    rows = progress.read(session.rows)
    for item in items(session):
        if progress.state(rows.get((item.step, item.key))) != "open":
            continue
        if time.time() > deadline:
            late(session)
            break
        if _run(session, item):
            return AGAIN
    return FINISHED


def late(session: Session) -> None:
    """Write a row for everything that did not come to an end."""
    rows = progress.read(session.rows)
    for item in items(session):
        if progress.state(rows.get((item.step, item.key))) != "done":
            progress.append(session.rows, step=item.step, key=item.key, reason=progress.LATER)


def _run(session: Session, item: Item) -> bool:
    """Run one item and write its row; True if the process cannot go on."""
    name = {"step": item.step, "key": item.key}
    progress.append(session.rows, **name, begun=time.time(), limit=item.limit, process=os.getpid())
    begin = time.perf_counter()
    outcome: dict[str, Any]
    lost = False
    try:
        outcome = {"result": item.run()}
    except Unavailable as reason:
        outcome = {"reason": str(reason)}
    except Exception as error:  # an item may raise anything; the session goes on
        outcome = {"error": f"{type(error).__name__}: {error}", "trace": _trace(error)}
        lost = _lost(error)
    progress.append(session.rows, **name, seconds=time.perf_counter() - begin, **outcome)
    return lost


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-2000:]


def _lost(error: BaseException | None) -> bool:
    """After an illegal access nothing runs on the GPU any more, in this process."""
    while error is not None:
        if type(error).__name__ in ("CUDARuntimeError", "CUDADriverError", "AcceleratorError"):
            return True
        error = error.__cause__ or error.__context__
    return False
