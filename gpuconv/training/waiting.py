"""How long training waits for its data."""

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")


class Waiting:
    """``over(items)`` iterates and measures the time until each item is there."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items."""
        iterator, nothing = iter(items), object()
        while True:
            start = perf_counter()
            item = next(iterator, nothing)
            self._seconds += perf_counter() - start
            if item is nothing:
                return
            yield item  # type: ignore[misc]

    def taken(self) -> float:
        """The seconds waited since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
