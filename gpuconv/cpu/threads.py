"""How many cores work on one operation."""

import os
from functools import cache

from ..errors import OptionError
from ..shapes import integer

VARIABLE = "GPUCONV_NUM_THREADS"
_state: dict[str, int | None] = {"threads": None}


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
    return _number(text) if text else None


@cache
def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"{VARIABLE}={text}: expected an integer >= 1, or unset")
    return int(text)


@cache
def cores() -> int:
    """The cores that this process may run on."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
