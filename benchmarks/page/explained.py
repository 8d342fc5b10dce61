"""The page of ``gpuconv explain``: time of each layer, rooflines, every candidate, and why."""

from collections.abc import Iterator
from html import escape

from gpuconv.explanation import Explanation, Line

from . import names, svg
from .report import document, section

TIMES = (
    "A bar for each layer, a colour for each op: the expected time of the kernels that are chosen, "
    "over all passes. Rest on a part to read it."
)
ROOFS = (
    "Each mark is a chosen kernel; the line is what the ceilings allow (Williams, Waterman and "
    "Patterson 2009). Operations are those of direct convolution, so that Winograd's kernels may "
    "lie above it."
)
ROW = 20  # of a bar, in the picture's units
LABEL, RIGHT = 220, 700  # where bars begin and end


def page(found: Explanation) -> str:
    """One HTML file that needs no other."""
    return document("gpuconv explain", "\n".join(filter(None, _parts(found))))


def _parts(found: Explanation) -> Iterator[str]:
    roof = found.ceiling
    facts = {
        "what": found.title,
        "together": f"{1e3 * found.seconds:.3g} ms",
        "ms": f"predicted, not measured, unless a row says so; ceilings {roof.flops / 1e9:.4g} "
        f"GFLOP/s and {roof.bandwidth / 1e9:.4g} GB/s ({roof.words})",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    yield f"<h1>gpuconv explain</h1><dl>{listed}</dl>"
    yield section("Time of each layer", TIMES, times(found))
    yield section("Rooflines", ROOFS, roofline(found))
    yield section("Every candidate", "A star marks the chosen kernel.", table(found))


def times(found: Explanation) -> str:
    """Stacked bars, a layer each, in the order of the net."""
    by_layer: dict[str, list[tuple[Line, float]]] = {layer: [] for layer in found.layers}
    for line in found.lines:
        each = line.chosen.seconds if line.chosen else None
        for layer in line.layers if each else ():
            by_layer[layer].append((line, each or 0.0))
    by_layer = {layer: parts for layer, parts in by_layer.items() if parts}
    longest = max((sum(s for _, s in parts) for parts in by_layer.values()), default=0.0)
    if not longest:
        return ""
    ops = _ops(found)
    rows = [
        _bar(number, layer, parts, (RIGHT - LABEL) / longest, ops)
        for number, (layer, parts) in enumerate(by_layer.items())
    ]
    box = f'viewBox="0 0 {svg.WIDTH} {ROW * len(rows) + 4}" role="img"'
    drawn = f'<svg {box} aria-label="time of each layer">{"".join(rows)}</svg>'
    return f'<div class="plot">{drawn}</div>{_legend(ops, "square")}'


def _ops(found: Explanation) -> list[str]:
    """The ops, those that take most time first: they have colours of their own."""
    total = dict.fromkeys((line.op for line in found.lines), 0.0)
    for line in found.lines:
        total[line.op] += line.seconds or 0.0
    return sorted(total, key=lambda op: -total[op])


def _colour(ops: list[str], op: str) -> str:
    return names.css(min(ops.index(op), svg.COLOURS - 1))


def _legend(ops: list[str], kind: str) -> str:
    """A colour for each op, the last for all of the rest."""
    named, rest = ops[: svg.COLOURS - 1], ops[svg.COLOURS - 1 :]
    shown = [*named, *([", ".join(rest)] if rest else [])]
    return svg.legend([(op, names.css(number), kind) for number, op in enumerate(shown)])


def _bar(
    number: int, layer: str, parts: list[tuple[Line, float]], scale: float, ops: list[str]
) -> str:
    top, x = ROW * number + 2, float(LABEL)
    made = [f'<text x="{LABEL - 6}" y="{top + 13}" text-anchor="end">{escape(layer)}</text>']
    for line, seconds in parts:
        name = line.chosen.name if line.chosen else ""
        words = f"{layer} {line.phase}: {line.op}, {name}, {1e3 * seconds:.3g} ms"
        shape = f'<rect x="{x:.1f}" y="{top}" width="{scale * seconds:.2f}" height="{ROW - 4}"'
        colour = _colour(ops, line.op)
        made.append(
            f'<g class="{colour}">{shape} fill="currentColor"><title>{escape(words)}</title>'
            "</rect></g>"
        )
        x += scale * seconds
    total = 1e3 * sum(seconds for _, seconds in parts)
    made.append(f'<text x="{x + 4:.1f}" y="{top + 13}">{total:.3g} ms</text>')
    return "".join(made)


def roofline(found: Explanation) -> str:
    """GFLOP/s over operations for each byte, a mark for every chosen kernel that has both."""
    roof, ops = found.ceiling, _ops(found)
    shown = []
    for line in found.lines:
        seconds = line.chosen.seconds if line.chosen else None
        if seconds and line.flops:
            shown.append((line, (line.flops / line.bytes, line.flops / seconds / 1e9)))
    if not shown:
        return ""
    edge, top = roof.flops / roof.bandwidth, roof.flops / 1e9
    axes = svg.axes(
        [*(point for _, point in shown), (edge, top)], "operations for each byte", "GFLOP/s"
    )
    floor = max(axes.xs[0], axes.ys[0] * 1e9 / roof.bandwidth)
    path = [(floor, floor * roof.bandwidth / 1e9), (edge, top), (max(axes.xs[1], edge), top)]
    marks = [
        svg.mark(axes, point, _colour(ops, line.op), _words(line, point)) for line, point in shown
    ]
    words = f"{len(marks)} chosen kernels; the roof is {top:.4g} GFLOP/s"
    drawn = svg.picture(axes, [svg.line(axes, path, "roof"), *marks], "Rooflines", words)
    return drawn + _legend(ops, "disc")


def _words(line: Line, point: svg.Point) -> str:
    name = line.chosen.name if line.chosen else ""
    return f"{line.name} {line.phase}: {line.op}, {name}, {point[1]:.3g} GFLOP/s"


def table(found: Explanation) -> str:
    """Every candidate of every call, with its reason."""
    heads = ("layer", "pass", "op", "kernel", "ms", "% of roofline", "workspace bytes", "why")
    top = "".join(f"<th class='text'>{head}</th>" for head in heads)
    body = "".join(_rows(found, line) for line in found.lines)
    return (
        f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _rows(found: Explanation, line: Line) -> str:
    made = []
    for number, one in enumerate(line.candidates):
        who = (line.name, line.phase, line.op) if number == 0 else ("", "", "")
        share = found.share(line, one)
        cells = (
            *who,
            ("* " if one.chosen else "") + one.name,
            "" if one.seconds is None else f"{1e3 * one.seconds:.3g}",
            "" if share is None else f"{100 * share:.0f}",
            "" if one.workspace is None else f"{one.workspace:,}",
            one.reason,
        )
        title = f" title='{escape(line.brief, quote=True)}'"
        first = f"<tr class='first'{title}>" if number == 0 else f"<tr{title}>"
        made.append(first + "".join(f"<td class='text'>{escape(c)}</td>" for c in cells) + "</tr>")
    return "".join(made)
