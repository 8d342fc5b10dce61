"""History: what every kernel took in the runs that were kept, as lines over their dates."""

from collections.abc import Iterable, Iterator
from html import escape

from ..figures import geometric_mean
from ..history import CHANGE, Line, is_measured, runs
from . import names, svg
from .names import Key

HISTORY = (
    "What this machine's file of figures holds, oldest run first. Plots have the geometric mean "
    "over the cases that all of these runs have timed, the tables below them every figure."
)
MOST = 40  # runs: more dates than that cannot be told apart
SPARK = (100, 20)
Figure = tuple[str, str]  # problem, name


def history(kept: Iterable[Line]) -> str:
    """A plot for each op that two runs have timed, and a line for every figure."""
    dates, by_op = _timed(kept)
    parts = (_of_op(op, found, dates) for op, found in by_op.items())
    return "".join(parts)


def _timed(kept: Iterable[Line]) -> tuple[list[str], dict[str, dict[Figure, dict[str, Line]]]]:
    """The runs' dates, and op by op the figures that two of them have, each by its date."""
    timed = {date: list(filter(is_measured, found)) for date, found in runs(kept).items()}
    dates = [date for date, found in timed.items() if found][-MOST:]
    by_op: dict[str, dict[Figure, dict[str, Line]]] = {}
    for date in dates:
        for line in timed[date]:
            key = line["problem"], line["name"]
            by_op.setdefault(line["op"], {}).setdefault(key, {})[date] = line
    several = {op: {k: f for k, f in found.items() if len(f) > 1} for op, found in by_op.items()}
    return dates, {op: found for op, found in several.items() if found}


def _of_op(op: str, found: dict[Figure, dict[str, Line]], dates: list[str]) -> str:
    here = [date for date in dates if any(date in figure for figure in found.values())]
    rows = "".join(_figure(key, figure, here) for key, figure in found.items())
    heads = "".join(
        f"<th{css}>{head}</th>"
        for head, css in (("case", ""), ("kernel", " class='text'"), ("runs", ""), ("first ms", ""))
    )
    heads += "<th>last ms</th><th>last / first</th><th class='text'>over the runs</th>"
    return (
        f"<h3>{escape(op)}</h3>{_plot(op, found, here)}<details><summary>every figure "
        f"<small>{len(found)} lines</small></summary><div class='wide'><table><thead><tr>{heads}"
        f"</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _figure(key: Figure, figure: dict[str, Line], dates: list[str]) -> str:
    problem, name = key
    last = list(figure.values())[-1]
    seconds = [line["median"] for line in figure.values()]
    factor = seconds[-1] / seconds[0]
    kind = "slower" if factor > 1 + CHANGE else "faster" if factor < 1 - CHANGE else ""
    return (
        f"<tr><th scope='row' title='{escape(problem, quote=True)}'>"
        f"{escape(names.title(last['case'], last.get('batch')))}</th><td class='text'>"
        f"{escape(name)}</td><td>{len(seconds)}</td><td>{names.short(1e3 * seconds[0])}</td>"
        f"<td>{names.short(1e3 * seconds[-1])}</td><td class='{kind}'>{factor:.2f}</td>"
        f"<td class='text'>{_spark(figure, dates)}</td></tr>"
    )


def _spark(figure: dict[str, Line], dates: list[str]) -> str:
    """A small line from nought to the figure's greatest."""
    width, height = SPARK
    most = max(line["median"] for line in figure.values())
    points = " ".join(
        f"{width * dates.index(date) / (len(dates) - 1):.0f},"
        f"{height * (1 - line['median'] / most):.1f}"
        for date, line in figure.items()
    )
    return (
        f"<svg class='spark c0' viewBox='0 0 {width} {height}' preserveAspectRatio='none' "
        f"aria-hidden='true'><polyline class='series' points='{points}'/></svg>"
    )


def _plot(op: str, found: dict[Figure, dict[str, Line]], dates: list[str]) -> str:
    """A line for each kernel that has figures of all the runs."""
    means = _means(found, dates)
    if not means:
        return ""
    points = {key: [(float(i), 1e3 * s) for i, s in enumerate(line)] for key, line in means.items()}
    days = [_day(date, dates) for date in dates]
    axes = svg.axes([at for line in points.values() for at in line], "run", "ms", days)
    parts: list[str] = []
    for number, (key, line) in enumerate(points.items()):
        parts += _drawn(axes, line, key, names.css(number), dates)
    words = f"{len(points)} lines over {len(dates)} runs from {dates[0][:10]} to {dates[-1][:10]}"
    return svg.picture(axes, parts, f"History of {op}", words) + names.legend(points)


def _means(found: dict[Figure, dict[str, Line]], dates: list[str]) -> dict[Key, list[float]]:
    """Geometric means over the cases that all dates have, by kernel."""
    full: dict[Key, list[dict[str, Line]]] = {}
    for (_, name), figure in found.items():
        if len(figure) == len(dates):
            full.setdefault((name, figure[dates[-1]]["is_peer"]), []).append(figure)
    return {
        key: [geometric_mean(figure[date]["median"] for figure in figures) or 0.0 for date in dates]
        for key, figures in full.items()
    }


def _drawn(
    axes: svg.Axes, line: list[svg.Point], key: Key, colour: str, dates: list[str]
) -> Iterator[str]:
    name, is_peer = key
    yield svg.line(axes, line, f"series {colour}")
    for at, date in zip(line, dates, strict=True):
        words = f"{name}: {names.short(at[1])} ms on {date[:16]}"
        yield svg.mark(axes, at, colour, words, is_peer=is_peer)


def _day(date: str, dates: list[str]) -> str:
    """A run's date, with its hour where there are few; of many every fifth or so."""
    step = -(-len(dates) // 8)
    if dates.index(date) % step:
        return ""
    return date[:10] if len(dates) > 6 else date[:16].replace("T", " ")
