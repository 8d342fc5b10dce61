"""Says that kernels are being compiled: once in a process, to whoever listens."""

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def on_compiling(listener: Callable[[], None]) -> None:
    """Call ``listener`` when this process compiles for the first time, and not from a cache."""
    _listeners.append(listener)


def compiling() -> None:
    """Tell everyone who listens, and then no more."""
    while _listeners:
        _listeners.pop()()
