"""Plots of a run: rooflines, ladder, time against batch size, history."""

from collections.abc import Iterator, Sequence
from html import escape

from ..cpu_vs_peers.ceilings import Ceilings
from ..figures import Row, geometric_mean
from ..history import Line, is_measured, runs
from ..suite import Result
from . import svg

ROOFLINE = (
    "Each mark is a kernel or a peer on one layer; the line is what this machine allows (Williams, "
    "Waterman and Patterson 2009). Operations are those of direct convolution, so that Winograd's "
    "kernels may lie above it, and so may values that fit in a cache. Rest on a mark to read it."
)
LADDER = (
    "Speed of each kernel as a share of the fastest peer's on the same case: the geometric mean "
    "over the cases where both were timed. Without a peer, of the kernel that gpuconv takes."
)
HISTORY = "Geometric mean of the milliseconds of what every kept run has timed, by kernel and op."
Names = Sequence[tuple[str, bool]]


def words(row: Row) -> str:
    """What a mark says to who rests on it."""
    seconds = row.timing.median if row.timing else 0.0
    return f"{row.name}: {row.op} {row.case}, {1e3 * seconds:.3g} ms, {row.gflops or 0:.3g} GFLOP/s"


def roofline(rows: list[Row], roof: Ceilings, names: Names) -> str:
    """GFLOP/s over operations for each byte, a mark for every row that has operations."""
    shown = [(row, (row.flops / row.bytes, row.gflops)) for row in rows if row.gflops]
    points = [(x, y) for _, (x, y) in shown if y]
    if not points:
        return ""
    edge, top = roof.flops / roof.bandwidth, roof.flops / 1e9
    axes = svg.axes([*points, (edge, top)], "operations for each byte", "GFLOP/s")
    low, high = axes.xs
    floor = max(low, axes.ys[0] * 1e9 / roof.bandwidth)
    line = [(floor, floor * roof.bandwidth / 1e9), (edge, top), (max(high, edge), top)]
    marks = [
        svg.mark(axes, point, names.index((row.name, row.is_peer)), words(row), is_peer=row.is_peer)
        for (row, _), point in zip(shown, points, strict=True)
    ]
    drawn = svg.picture(axes, [svg.line(axes, line, "roof"), *marks], "rooflines")
    return f'<div class="plot">{drawn}</div>{svg.legend(names)}'


def ladder(rows: list[Row]) -> str:
    """A bar for each kernel and peer, op by op."""
    parts = []
    for op in dict.fromkeys(row.op for row in rows):
        shares = _shares([row for row in rows if row.op == op])
        bars = "".join(map(_bar, sorted(shares.items(), key=lambda pair: pair[1])))
        parts.append(f"<h3>{escape(op)}</h3><div class='wide'><table>{bars}</table></div>")
    return "".join(parts)


def _shares(rows: list[Row]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for problem in dict.fromkeys(row.problem for row in rows):
        case = [(r, r.timing.median) for r in rows if r.problem == problem and r.timing]
        peers = [seconds for row, seconds in case if row.is_peer]
        own = [seconds for row, seconds in case if row.ratio == 1.0 and not row.is_peer]
        for row, seconds in case if peers or own else []:
            found.setdefault(row.name, []).append(min(peers or own) / seconds)
    return {name: geometric_mean(shares) or 0.0 for name, shares in found.items()}


def _bar(pair: tuple[str, float]) -> str:
    name, share = pair
    width = min(100.0, 50 * share)
    return (
        f"<tr><td>{escape(name)}</td><td>{100 * share:.0f} %</td><td class='text' width='60%'>"
        f"<svg viewBox='0 0 100 4' preserveAspectRatio='none' height='12' class='bar c0'>"
        f"<rect width='{width:.1f}' height='4' fill='currentColor'/>"
        f"<line x1='50' y1='0' x2='50' y2='4' class='roof' stroke-width='.5'/></svg></td></tr>"
    )


def batches(rows: list[Row], names: Names) -> str:
    """Milliseconds for each image over the batch, for cases timed at several."""
    return "".join(_by_batch(*series, names) for series in _series(rows))


def _series(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.batch:
            found.setdefault(f"{row.op}: {row.case}", []).append(row)
    return ((t, f) for t, f in found.items() if len({row.batch for row in f}) > 1)


def _by_batch(title: str, rows: list[Row], names: Names) -> str:
    points: dict[tuple[str, bool], list[svg.Point]] = {}
    for row in rows:
        if row.timing and row.batch:
            point = float(row.batch), 1e3 * row.timing.median / row.batch
            points.setdefault((row.name, row.is_peer), []).append(point)
    return _lines(title, points, names, "batch size", "ms for each image")


def _lines(
    title: str, points: dict[tuple[str, bool], list[svg.Point]], names: Names, x: str, y: str
) -> str:
    axes = svg.axes([p for found in points.values() for p in found], x, y)
    parts = []
    for key, found in points.items():
        colour = names.index(key)
        parts.append(svg.line(axes, sorted(found), f"series c{colour % svg.COLOURS}"))
        parts += [
            svg.mark(axes, p, colour, f"{key[0]}: {p[1]:.3g} {y} at {x} {p[0]:g}", is_peer=key[1])
            for p in found
        ]
    drawn = svg.picture(axes, parts, title)
    shown = svg.legend([name for name in names if name in points])
    return f'<h3>{escape(title)}</h3><div class="plot">{drawn}</div>{shown}'


def history(result: Result, kept: list[Line]) -> str:
    """Runs side by side, oldest first: what all of them have timed."""
    timed = {date: list(filter(is_measured, found)) for date, found in runs(kept).items()}
    timed = {date: found for date, found in timed.items() if found}
    if len(timed) < 2:
        return ""
    every = [{(f["op"], f["problem"], f["name"]) for f in found} for found in timed.values()]
    common = set.intersection(*every)
    kinds = sorted({(op, name) for op, _, name in common})
    if not kinds:
        return ""
    heads = "".join(f"<th>{escape(date[:16])}</th>" for date in timed)
    body = "".join(_history_row(kind, common, timed) for kind in kinds)
    return (
        f"<div class='wide'><table><thead><tr><th>op</th><th class='text'>kernel</th>{heads}</tr>"
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def _history_row(kind: tuple[str, str], common: set, timed: dict[str, list[Line]]) -> str:
    cells = []
    for found in timed.values():
        seconds = [
            f["median"]
            for f in found
            if (f["op"], f["name"]) == kind and (f["op"], f["problem"], f["name"]) in common
        ]
        cells.append(f"<td>{1e3 * (geometric_mean(seconds) or 0):.3g}</td>")
    op, name = map(escape, kind)
    return f"<tr><td>{op}</td><td class='text'>{name}</td>{''.join(cells)}</tr>"
