"""Tables of a run as HTML: speed-ups over the peers, and every figure."""

from collections.abc import Iterable
from html import escape

from ..figures import MEASURED, Row, geometric_mean

FIGURES = (
    "Error is the worst difference from float64 in units of eps times the magnitude that "
    "rounding is measured by; beside it what is allowed. A row without a time says why."
)
HEADS = ("kernel", "ms", "shortest", "longest", "times as long", "GFLOP/s", "GB/s", "% of roofline",
         "workspace MiB", "error", "allowed")  # fmt: skip


def speedups(rows: list[Row]) -> str:
    """A line for each case, a column for each peer and for NumPy's best; means at the foot."""
    columns = list(dict.fromkeys(row.name for row in rows if row.is_peer))
    columns += list(dict.fromkeys(r.name for r in rows if r.name.startswith("numpy:")))
    found: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.op, row.case, row.batch), {})[row.name] = row
    if not columns:
        return ""
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(_speedup(key, cells, columns) for key, cells in found.items())
    feet = "".join(f"<td>{_mean(found.values(), name)}</td>" for name in columns)
    return (
        "<div class='wide'><table><thead><tr><th>op</th><th class='text'>case</th><th>ms</th>"
        f"{heads}</tr></thead><tbody>{body}</tbody><tfoot><tr><td>geometric mean</td><td></td>"
        f"<td></td>{feet}</tr></tfoot></table></div>"
    )


def _speedup(key: tuple, cells: dict[str, Row], columns: list[str]) -> str:
    op, case, batch = key
    ours = next((r for r in cells.values() if r.ratio == 1.0 and not r.is_peer), None)
    shown = f"{1e3 * ours.timing.median:.3g}" if ours and ours.timing else "-"
    title = escape(case if batch is None else f"{case}, batch {batch}")
    others = "".join(_ratio(cells.get(name)) for name in columns)
    return f"<tr><td>{escape(op)}</td><td class='text'>{title}</td><td>{shown}</td>{others}</tr>"


def _ratio(row: Row | None) -> str:
    if row is None:
        return "<td>-</td>"
    if row.ratio is None:
        return f"<td class='dim' title='{escape(row.note, quote=True)}'>{escape(row.state)}</td>"
    kind = "slower" if row.ratio < 1 else "faster"
    mark = " ▼" if row.ratio < 1 else ""
    return f"<td class='{kind}'>{row.ratio:.2f}{mark}</td>"


def _mean(cases: Iterable[dict[str, Row]], name: str) -> str:
    rows = [cells[name] for cells in cases if name in cells]
    found = geometric_mean(row.ratio for row in rows if row.ratio is not None)
    return "-" if found is None else f"{found:.2f}"


def every(rows: list[Row]) -> str:
    """A table for each op: every kernel and peer on every case."""
    parts = []
    for op in dict.fromkeys(row.op for row in rows):
        found = [row for row in rows if row.op == op]
        heads = "".join(f"<th>{head}</th>" for head in HEADS)
        lines, before = [], None
        for row in found:
            is_first = row.problem != before
            lines.append(_figure(row, is_first))
            before = row.problem
        parts.append(
            f"<h3>{escape(op)}</h3><div class='wide'><table><thead><tr><th>case</th>{heads}"
            f"</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
        )
    return "".join(parts)


def _figure(row: Row, is_first: bool) -> str:
    title = row.case if row.batch is None else f"{row.case}, batch {row.batch}"
    case = f"<td title='{escape(row.problem, quote=True)}'>{escape(title) if is_first else ''}</td>"
    name = f"<td class='text'>{escape(row.name)}{' ✓' if row.is_chosen else ''}</td>"
    start = f"<tr{' class=first' if is_first else ''}>{case}{name}"
    if row.state != MEASURED or row.timing is None:
        note = f"{row.state}: {row.note}"
        return f"{start}<td colspan='{len(HEADS) - 1}' class='note dim'>{escape(note)}</td></tr>"
    times = (row.timing.median, row.timing.shortest, row.timing.longest)
    figures = [
        *(f"{1e3 * seconds:.3g}" for seconds in times),
        *(_shown(v) for v in (row.ratio, row.gflops, row.gigabytes)),
        _shown(row.roofline and 100 * row.roofline),
        _shown(None if row.workspace is None else row.workspace / 2**20),
        *(_shown(v) for v in (row.error, row.allowed)),
    ]
    return start + "".join(f"<td>{text}</td>" for text in figures) + "</tr>"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"
