"""How many cores work, and what keeps their threads from each other's way."""

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

from ..errors import DeviceError, OptionError
from ..shapes import integer

LAYERS = ["omp", "tbb", "workqueue"]  # the first that loads: workqueue starts a region 36 x slower
VARIABLE = "GPUCONV_NUM_THREADS"
_state: dict[str, Any] = {"threads": None, "has_run": False, "forked": False}
_LOCK = threading.Lock()


def set_num_threads(count: int) -> None:
    """Let at most ``count`` cores work on one operation of the CPU backend "numba".

    Results do not depend on it. More threads than the process may use cores are never started.
    Raises OptionError unless it is an integer >= 1.
    """
    _state["threads"] = integer(count, "set_num_threads: count", 1)


def get_num_threads() -> int:
    """How many cores work on one operation: as set, else ``$GPUCONV_NUM_THREADS``, else all.

    Raises OptionError if that variable is no integer >= 1.
    """
    return min(_state["threads"] or _from_environment() or cores(), cores())


def _from_environment() -> int | None:
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"{VARIABLE}={text}: expected an integer >= 1, or unset")
    return int(text)


def cores() -> int:
    """The cores that this process may run on."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


@cache
def layer() -> str:
    """Start Numba's threads on the best layer that loads; its name.

    The order is changed for this start only, unless the user named a layer or an order.
    """
    import numba

    with _LOCK:
        kept = numba.config.THREADING_LAYER_PRIORITY
        if not os.environ.get("NUMBA_THREADING_LAYER_PRIORITY"):
            numba.config.THREADING_LAYER_PRIORITY = LAYERS
        try:
            numba.get_num_threads()
            return str(numba.threading_layer())
        finally:
            numba.config.THREADING_LAYER_PRIORITY = kept


def run(function: Callable[..., None], *arguments: int) -> None:
    """Call a parallel loop with the wanted number of threads, and no second caller in its way.

    Raises DeviceError in a child that was forked after its parent had run one: the threads did not
    come along, and OpenMP would end the process.
    """
    if _state["forked"]:
        raise DeviceError(
            "this process was forked from one whose CPU threads had started, and they did not come "
            "along; start it with multiprocessing's method 'spawn' or 'forkserver' instead"
        )
    import numba

    alone = _LOCK if layer() == "workqueue" else nullcontext()
    _state["has_run"] = True
    before = numba.get_num_threads()
    wanted = min(get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    with alone:
        if wanted != before:
            numba.set_num_threads(wanted)
        try:
            function(*arguments)
        finally:
            if wanted != before:
                numba.set_num_threads(before)


def _in_child() -> None:
    _state["forked"] = _state["has_run"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
