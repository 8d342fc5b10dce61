"""Plots of a run: rooflines, errors, the ladder, time against batch size."""

from collections.abc import Iterator
from html import escape

from ..cpu_vs_peers.ceilings import Ceilings
from ..figures import Row, geometric_mean
from . import names, svg
from .names import Key

ROOFLINE = (
    "Each mark is a kernel or a peer on one layer; the line is what this machine allows (Williams, "
    "Waterman and Patterson 2009). Operations are those of direct convolution, so that Winograd's "
    "kernels may lie above it, and so may values that fit in a cache. Rest on a mark to read it."
)
ERRORS = (
    "Error against float64, in units of eps times the magnitude that rounding is measured by, over "
    "the time taken, 1 being the kernel that gpuconv takes. Best is below and to the left. What is "
    "exact, or within a thousandth of eps, is not drawn; the tables have every figure."
)
LADDER = (
    "Speed of each kernel as a share of the fastest peer's on the same case: the geometric mean "
    "over the cases where both were timed. Without a peer, of the kernel that gpuconv takes. The "
    "upright line is 100 %, a hollow bar a peer's."
)
LEAST = 1e-3  # eps
TAKEN = "what gpuconv takes"


def roofline(rows: list[Row], roof: Ceilings) -> str:
    """GFLOP/s over operations for each byte, a mark for every row that has operations."""
    shown = [(row, (row.flops / row.bytes, row.gflops)) for row in rows if row.bytes]
    points = [(row, (x, y)) for row, (x, y) in shown if x and y]
    if not points:
        return ""
    edge, top = roof.flops / roof.bandwidth, roof.flops / 1e9
    axes = svg.axes([*(at for _, at in points), (edge, top)], "operations for each byte", "GFLOP/s")
    floor = max(axes.xs[0], axes.ys[0] * 1e9 / roof.bandwidth)
    line = [(floor, floor * roof.bandwidth / 1e9), (edge, top), (max(axes.xs[1], edge), top)]
    parts = [svg.line(axes, line, "roof"), *_marks(axes, points)]
    words = f"{len(points)} marks below a line that rises to {top:.0f} GFLOP/s at {edge:.1f}"
    return svg.picture(axes, parts, "Rooflines", words) + _legend([row for row, _ in points])


def errors(rows: list[Row]) -> str:
    """Error over time, a mark for every row that has rounded."""
    points = [
        (row, (row.ratio, row.error))
        for row in rows
        if row.ratio and row.error is not None and row.error >= LEAST
    ]
    if not points:
        return ""
    axes = svg.axes([at for _, at in points], "time / time of what gpuconv takes", "eps")
    words = f"{len(points)} marks; the worst error is {max(y for _, (_, y) in points):.2g}"
    drawn = svg.picture(axes, _marks(axes, points), "Errors beside times", words)
    return drawn + _legend([row for row, _ in points])


def _marks(axes: svg.Axes, points: list[tuple[Row, svg.Point]]) -> Iterator[str]:
    """What gpuconv takes comes last, above the others."""
    order = names.libraries(row for row, _ in points)
    for row, at in sorted(points, key=lambda point: point[0].is_chosen):
        colour = names.css(order.index((names.library(row.name), row.is_peer)))
        css = f"{colour} chosen" if row.is_chosen else colour
        words = names.said(row) + (f", error {row.error:.2g}" if row.error else "")
        yield svg.mark(axes, at, css, words, is_peer=row.is_peer)


def _legend(rows: list[Row]) -> str:
    ringed = [(TAKEN, "ink", "ringed")] if any(row.is_chosen for row in rows) else []
    return names.legend(names.libraries(rows), *ringed)


def ladder(rows: list[Row]) -> str:
    """A bar for each kernel and peer, op by op, the slowest first."""
    parts = []
    for op in dict.fromkeys(row.op for row in rows):
        found = _shares([row for row in rows if row.op == op])
        top = max([1.0, *(mean for mean, _ in found.values())])
        ordered = sorted(found.items(), key=lambda pair: pair[1])
        heads = "<th>kernel</th><th>cases</th><th>share</th><th class='text'>of the best peer</th>"
        bars = "".join(_bar(key, mean, count, top) for key, (mean, count) in ordered)
        parts.append(
            f"<h3>{escape(op)}</h3><div class='wide'><table><thead><tr>{heads}</tr></thead>"
            f"<tbody>{bars}</tbody></table></div>"
        )
    return "".join(parts)


def _shares(rows: list[Row]) -> dict[Key, tuple[float, int]]:
    """Geometric means, and of how many cases."""
    found: dict[Key, list[float]] = {}
    for problem in dict.fromkeys(row.problem for row in rows):
        case = [(r, r.timing.median) for r in rows if r.problem == problem and r.timing]
        own = [seconds for row, seconds in case if row.ratio == 1.0 and not row.is_peer]
        rivals = [seconds for row, seconds in case if row.is_peer] or own
        for row, seconds in case if rivals else []:
            found.setdefault((row.name, row.is_peer), []).append(min(rivals) / seconds)
        if own and rivals is not own:
            found.setdefault((TAKEN, False), []).append(min(rivals) / own[0])
    return {key: (geometric_mean(shares) or 0.0, len(shares)) for key, shares in found.items()}


def _bar(key: Key, mean: float, count: int, top: float) -> str:
    name, is_peer = key
    colour = "ink" if name == TAKEN else "c0"
    form = " class='theirs'" if is_peer else ""
    return (
        f"<tr{' class=mean' if name == TAKEN else ''}><th scope='row'>{escape(name)}</th>"
        f"<td>{count}</td><td>{100 * mean:.0f} %</td><td class='bar {colour}'><div>"
        f"<i{form} style='width:{100 * mean / top:.1f}%'></i><b style='left:{100 / top:.1f}%'></b>"
        "</div></td></tr>"
    )


def batches(rows: list[Row]) -> str:
    """Milliseconds for each image over the batch, for cases timed at several."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.batch and row.timing:
            found.setdefault((row.op, row.case), []).append(row)
    several = {k: f for k, f in found.items() if len({row.batch for row in f}) > 1}
    parts = [
        (f"{op}: {case}", _by_batch(f"{op}: {case} by batch", several[op, case]))
        for op, case in several
    ]
    return "".join(
        f"<details{'' if number else ' open'}><summary>{escape(words)}</summary>{plot}</details>"
        for number, (words, plot) in enumerate(parts)
    )


def _by_batch(title: str, rows: list[Row]) -> str:
    points: dict[Key, list[svg.Point]] = {}
    for row in rows:
        if row.timing and row.batch:
            at = float(row.batch), 1e3 * row.timing.median / row.batch
            points.setdefault((row.name, row.is_peer), []).append(at)
    axes = svg.axes([p for found in points.values() for p in found], "batch", "ms for each image")
    parts = []
    for number, ((name, is_peer), found) in enumerate(points.items()):
        colour = names.css(number)
        parts.append(svg.line(axes, sorted(found), f"series {colour}"))
        for at in found:
            words = f"{name}: {names.short(at[1])} ms for each image of {at[0]:g}"
            parts.append(svg.mark(axes, at, colour, words, is_peer=is_peer))
    drawn = svg.picture(axes, parts, title, f"{len(points)} lines, a kernel or a peer each")
    return drawn + names.legend(points)
