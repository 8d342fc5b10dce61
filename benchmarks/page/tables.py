"""Tables of a run as HTML: speed-ups over the peers, and every figure."""

from collections.abc import Iterable, Iterator
from html import escape

from ..figures import MEASURED, Row, geometric_mean
from .names import library, short, title

FIGURES = (
    "Error is the worst difference from float64 in units of eps times the magnitude that "
    "rounding is measured by; beside it what is allowed. A row without a time says why. A tick "
    "marks the kernel that gpuconv takes."
)
HEADS = ("kernel", "ms", "shortest", "longest", "time / ours", "error", "allowed", "GFLOP/s",
         "GB/s", "% of roofline", "workspace MiB")  # fmt: skip
NUMPY = "numpy"
EXACT = 1.0  # as ratios are shown: what rounds to it is neither faster nor slower
OPEN = 3  # ops at most whose every figure is shown at once
Cells = dict[str, list[Row]]  # by library


def speedups(rows: list[Row]) -> str:
    """A line for each op and one for each case; a column for each library and NumPy's kernels."""
    columns = list(dict.fromkeys(library(row.name) for row in rows if row.is_peer))
    columns += [NUMPY] if any(_column(row) == NUMPY for row in rows) else []
    if not columns:
        return ""
    by_op = {op: _cases(row for row in rows if row.op == op) for op in _ops(rows)}
    body = "".join(_group(op, cases, columns) for op, cases in by_op.items())
    return _summary(by_op, columns) + _table(("case", "ms"), (*columns, "kernel taken"), body)


def _table(first: Iterable[str], others: Iterable[str], body: str) -> str:
    heads = "".join(f"<th scope='col'>{escape(head)}</th>" for head in (*first, *others))
    return f"<div class='wide'><table><thead><tr>{heads}</tr></thead>{body}</table></div>"


def _summary(by_op: dict[str, dict[str, Cells]], columns: list[str]) -> str:
    """The geometric means alone, where there is more than one op."""
    if len(by_op) < 2:
        return ""
    lines = [_means(op, list(cases.values()), columns) for op, cases in by_op.items()]
    every = [cells for cases in by_op.values() for cells in cases.values()]
    foot = f"<tfoot class='mean'>{_means('geometric mean of all', every, columns)}</tfoot>"
    body = f"<tbody>{''.join(lines)}</tbody>{foot}"
    return f"<h3>Op by op</h3>{_table(['op'], columns, body)}<h3>Case by case</h3>"


def _ops(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(row.op for row in rows))


def _column(row: Row) -> str:
    """The column that a row belongs to: kernels of ours have none, but for NumPy's."""
    name = library(row.name)
    return name if row.is_peer or name == NUMPY else ""


def _cases(rows: Iterable[Row]) -> dict[str, Cells]:
    """Each problem's rows by their column."""
    found: dict[str, Cells] = {}
    for row in rows:
        found.setdefault(row.problem, {}).setdefault(_column(row), []).append(row)
    return found


def _group(op: str, cases: dict[str, Cells], columns: list[str]) -> str:
    span = len(columns) + 3
    head = f"<tr class='group'><th scope='rowgroup' colspan='{span}'>{escape(op)}</th></tr>"
    body = "".join(_speedup(cells, columns) for cells in cases.values())
    return f"<tbody>{head}{body}</tbody>{_foot(list(cases.values()), columns)}"


def _foot(cases: list[Cells], columns: list[str]) -> str:
    if len(cases) < 2:
        return ""
    return f"<tbody class='mean'>{_means('geometric mean', cases, columns, blank=1)}</tbody>"


def _speedup(cells: Cells, columns: list[str]) -> str:
    every = [row for rows in cells.values() for row in rows]
    ours = next((row for row in every if row.ratio == 1.0 and not row.is_peer), None)
    shown = short(1e3 * ours.timing.median) if ours and ours.timing else "-"
    others = "".join(_ratio(cells.get(name, [])) for name in columns)
    case, problem = title(every[0].case, every[0].batch), escape(every[0].problem, quote=True)
    return (
        f"<tr><th scope='row' title='{problem}'>{escape(case)}</th><td>{shown}</td>{others}"
        f"<td>{escape(ours.name) if ours else '-'}</td></tr>"
    )


def _best(rows: Iterable[Row]) -> Row | None:
    """The fastest of a library's ways that were timed."""
    return min((row for row in rows if row.ratio is not None), key=_known, default=None)


def _known(row: Row) -> float:
    return row.ratio or 0.0


def _ratio(rows: list[Row]) -> str:
    best = _best(rows)
    if best is None:
        note = "; ".join(dict.fromkeys(row.note for row in rows))
        about = f" title='{escape(note, quote=True)}'" if note else ""
        return f"<td class='dim'{about}>{escape(rows[0].state) if rows else '-'}</td>"
    seconds = best.timing.median if best.timing else 0.0
    about = f"title='{escape(best.name, quote=True)}, {short(1e3 * seconds)} ms'"
    return f"<td {verdict(_known(best))} {about}>{marked(_known(best))}</td>"


def verdict(ratio: float) -> str:
    """The class of a cell that says how many times as long a rival takes."""
    shown = round(ratio, 2)
    return f"class='{'slower' if shown < EXACT else 'faster' if shown > EXACT else ''}'"


def marked(ratio: float) -> str:
    """The ratio, with a triangle where gpuconv is slower."""
    shown = f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"
    return f"{shown}{' ▼' if round(ratio, 2) < EXACT else ''}"


def _means(words: str, cases: list[Cells], columns: list[str], blank: int = 0) -> str:
    """A line of means; ``blank`` cells stand before them, and one after them."""
    cells = "".join(_mean(cases, name) for name in columns)
    last = "<td></td>" * blank
    return f"<tr><th scope='row'>{escape(words)}</th>{last}{cells}{last}</tr>"


def _mean(cases: list[Cells], name: str) -> str:
    """The mean over a library's cases, of how many, and in how many of them it is faster."""
    ratios = [_known(best) for cells in cases if (best := _best(cells.get(name, []))) is not None]
    mean = geometric_mean(ratios)
    if mean is None:
        return "<td>-</td>"
    lost = sum(round(ratio, 2) < EXACT for ratio in ratios)
    words = f"slower in {lost} of {len(ratios)}"
    return f"<td {verdict(mean)}>{marked(mean)}<br><small>{words}</small></td>"


def every(rows: list[Row]) -> str:
    """A table for each op: every kernel and peer on every case."""
    ops = _ops(rows)
    return "".join(_details(op, [r for r in rows if r.op == op], len(ops) <= OPEN) for op in ops)


def _details(op: str, rows: list[Row], is_open: bool) -> str:
    heads = "".join(f"<th{' class=text' if h == HEADS[0] else ''}>{h}</th>" for h in HEADS)
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(op)} <small>{len(rows)} figures"
        f"</small></summary><div class='wide'><table><thead><tr><th>case</th>{heads}</tr></thead>"
        f"<tbody>{''.join(_lines(rows))}</tbody></table></div></details>"
    )


def _lines(rows: list[Row]) -> Iterator[str]:
    before = None
    for row in rows:
        yield _figure(row, is_first=row.problem != before)
        before = row.problem


def _figure(row: Row, *, is_first: bool) -> str:
    about = f" title='{escape(row.problem, quote=True)}'" if is_first else ""
    case = escape(title(row.case, row.batch)) if is_first else ""
    name = f"<td class=text>{escape(row.name)}{' ✓' if row.is_chosen else ''}</td>"
    start = f"<tr{' class=first' if is_first else ''}><th{about}>{case}</th>{name}"
    if row.state != MEASURED or row.timing is None:
        note = escape(f"{row.state}: {row.note}")
        return f"{start}<td colspan={len(HEADS) - 1} class='note dim'>{note}</td></tr>"
    return start + "".join(f"<td>{text}</td>" for text in _figures(row)) + "</tr>"


def _figures(row: Row) -> Iterator[str]:
    if row.timing:
        times = (row.timing.median, row.timing.shortest, row.timing.longest)
        yield from (short(1e3 * seconds) for seconds in times)
    yield from (short(v) for v in (row.ratio, row.error, row.allowed, row.gflops, row.gigabytes))
    yield short(None if row.roofline is None else 100 * row.roofline)
    yield short(None if row.workspace is None else row.workspace / 2**20)
