"""Making the next item while the last one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_NAME = "gpuconv-prefetch"


def prefetch(make: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``map(make, items)`` with one result made ahead in a thread of its own.

    What ``make`` raises is raised here with its traceback. The thread ends with the iteration,
    early or not, after the item in hand.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=THREAD_NAME) as pool:
        ahead: Future[Result] | None = None
        for item in items:
            current, ahead = ahead, pool.submit(make, item)
            if current is not None:
                yield current.result()
        if ahead is not None:
            yield ahead.result()
