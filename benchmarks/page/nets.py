"""What is not a kernel: layers, whole nets, memory and cold starts, each beside the peers'."""

from collections.abc import Iterator
from html import escape

from ..figures import MEASURED, Row
from ..suite import KERNELS
from .names import short, title
from .tables import marked, verdict

WHOLE = (
    'Each line is a rival. "rival / ours" says how many times as much as gpuconv it takes: of time '
    "or, for memory, of bytes; a triangle marks where gpuconv takes more."
)
HEADS = ("who", "ms", "shortest", "longest", "images / s", "MiB at most", "rival / ours", "note")


def suites(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """The suites that are not of kernels: each one's title, and a table for each op of it."""
    for suite in dict.fromkeys(row.suite for row in rows if row.suite != KERNELS):
        mine = [row for row in rows if row.suite == suite]
        ops = dict.fromkeys(row.op for row in mine)
        found = (_table(op, [row for row in mine if row.op == op]) for op in ops)
        yield f"Suite: {suite}", "".join(found)


def _table(op: str, rows: list[Row]) -> str:
    heads = "".join(
        f"<th{' class=text' if h in (HEADS[0], HEADS[-1]) else ''}>{h}</th>" for h in HEADS
    )
    return (
        f"<h3>{escape(op)}</h3><div class='wide'><table><thead><tr><th>net</th>{heads}</tr></thead>"
        f"<tbody>{''.join(_lines(rows))}</tbody></table></div>"
    )


def _lines(rows: list[Row]) -> Iterator[str]:
    before = None
    for row in rows:
        is_first = (row.case, row.problem) != before
        before = row.case, row.problem
        case = escape(title(row.case, row.batch)) if is_first else ""
        cells = "".join(f"<td>{text}</td>" for text in _figures(row))
        note = row.note if row.state == MEASURED else f"{row.state}: {row.note}"
        yield (
            f"<tr{' class=first' if is_first else ''}><th>{case}</th>"
            f"<td class=text>{escape(row.name)}</td>{cells}{_ratio(row)}"
            f"<td class='note dim'>{escape(note)}</td></tr>"
        )


def _figures(row: Row) -> Iterator[str]:
    timing = row.timing
    times = (timing.median, timing.shortest, timing.longest) if timing else ()
    yield from (short(1e3 * seconds) for seconds in times)
    yield from [""] * (3 - len(times))
    yield short(row.images)
    yield short(None if row.peak is None else row.peak / 2**20)


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "<td></td>"
    return f"<td{f' {verdict(row.ratio)}' if row.is_peer else ''}>{marked(row.ratio)}</td>"
