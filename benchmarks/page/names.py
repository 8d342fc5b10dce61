"""Who is who on the page: libraries, their colours, and what a mark says."""

import re
from collections.abc import Iterable

from ..figures import Row
from . import svg

Key = tuple[str, bool]  # a name, and whether it is a peer's


def library(name: str) -> str:
    """What a name begins with: a backend of ours, or a peer's library."""
    return re.split(r"[:, ]", name)[0]


def libraries(rows: Iterable[Row]) -> list[Key]:
    """Every backend and every peer's library, in the order of their rows."""
    return list(dict.fromkeys((library(row.name), row.is_peer) for row in rows))


def css(number: int) -> str:
    """The class of a colour; there are ten, and then they begin again."""
    return f"c{number % svg.COLOURS}"


def legend(order: Iterable[Key], *more: tuple[str, str, str]) -> str:
    """A legend of libraries or kernels in the colours that their order gives them, and ``more``."""
    found = [
        (name, css(number), "square" if is_peer else "disc")
        for number, (name, is_peer) in enumerate(order)
    ]
    return svg.legend([*found, *more])


def title(case: str, batch: int | None) -> str:
    """A case and its batch, as tables and marks have it."""
    return case if batch is None else f"{case}, batch {batch}"


def said(row: Row) -> str:
    """Who a mark is, on what, and how fast."""
    seconds = row.timing.median if row.timing else 0.0
    words = f"{row.name}: {row.op}, {title(row.case, row.batch)}, {short(1e3 * seconds)} ms"
    return words + (f", {short(row.gflops)} GFLOP/s" if row.gflops else "")


def short(value: float | None) -> str:
    """Three digits; without an exponent from a ten-thousandth up; nothing of None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
