"""What would be launched: inside ``recording()`` launches are checked and noted, not run."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launch import Dim, Function


@dataclass(frozen=True)
class Launch:
    """One launch: ``shared_mem`` in bytes is the dynamic shared memory of a block."""

    function: "Function"
    grid: "Dim"
    block: "Dim"
    args: tuple[Any, ...]
    shared_mem: int


_LAUNCHES: ContextVar[list[Launch] | None] = ContextVar("gpuconv_launches", default=None)


@contextmanager
def recording() -> Iterator[list[Launch]]:
    """Collects the launches made inside, which do not run: no compiler and no GPU is needed."""
    launches: list[Launch] = []
    token = _LAUNCHES.set(launches)
    try:
        yield launches
    finally:
        _LAUNCHES.reset(token)


def recorded(launch: Launch) -> bool:
    """Note the launch if launches are being recorded; False if it must run."""
    launches = _LAUNCHES.get()
    if launches is None:
        return False
    launches.append(launch)
    return True
