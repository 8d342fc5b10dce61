"""Plots as inline SVG: axes, points and lines; colours are the page's classes.

Our own, because marks tell who rests on them, colours follow the reader's light or dark, and a page
of 500 marks stays small: Matplotlib's SVG has neither, and what runs in a page weighs megabytes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 1000, 420
LEFT, RIGHT, TOP, BOTTOM = 78, 20, 14, 56
COLOURS = 10
STEPS = (1, 2, 5)  # of a decade, where there are few decades
FEW = 3  # decades
Point = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """From the least to the greatest value along both axes; x may be places with names."""

    xs: Point
    ys: Point
    x_label: str
    y_label: str
    places: tuple[str, ...] = ()

    def x(self, value: float) -> float:
        """Where a value, or a place's number, lies from the left, in the picture's units."""
        part = (value + 0.5) / len(self.places) if self.places else _part(value, self.xs)
        return LEFT + (WIDTH - LEFT - RIGHT) * part

    def y(self, value: float) -> float:
        """Where a value lies from the top, in the picture's units."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _part(value, self.ys)


def _part(value: float, ends: Point) -> float:
    low, high = map(log10, ends)
    return (log10(value) - low) / (high - low)


def axes(points: Iterable[Point], x_label: str, y_label: str, places: Sequence[str] = ()) -> Axes:
    """Logarithmic axes around positive points; with ``places``, x is the number of one."""
    xs, ys = zip(*points, strict=True)
    return Axes((0, 1) if places else _around(xs), _around(ys), x_label, y_label, tuple(places))


def _around(values: Sequence[float]) -> Point:
    """The ticks that the values lie between: decades, or their steps where those are few."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    if high - low > FEW:
        return 10.0**low, 10.0**high
    marks = [step * 10.0**power for power in range(low - 1, high + 1) for step in STEPS]
    ends = (max(m for m in marks if m <= min(values)), min(m for m in marks if m >= max(values)))
    return ends if ends[0] < ends[1] else (ends[0] / 2, 2 * ends[1])


def picture(axes: Axes, parts: Iterable[str], title: str, words: str) -> str:
    """An SVG that grows and shrinks with the page; ``words`` describe it to who cannot see it.

    The title is one that no other plot of the page has.
    """
    inside = "".join([*_grid(axes), *parts])
    name = slug(title)
    return (
        f'<div class="plot" tabindex="0"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{name} {name}d"><title id="{name}">{escape(title)}</title>'
        f'<desc id="{name}d">{escape(words)}</desc>{inside}</svg></div>'
    )


def slug(title: str) -> str:
    """A title as the id of what it stands above."""
    return re.sub(r"\W+", "-", title).lower()


def _grid(axes: Axes) -> Iterable[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value, text in enumerate(axes.places) if axes.places else _ticks(axes.xs):
        x = axes.x(value)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{escape(text)}</text>'
    for value, text in _ticks(axes.ys):
        y = axes.y(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{text}</text>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes.x_label)}</text>'
    middle = (TOP + bottom) / 2
    yield (
        f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes.y_label)}</text>"
    )


def _ticks(ends: Point) -> list[tuple[float, str]]:
    low, high = floor(log10(ends[0]) + 1e-9), ceil(log10(ends[1]) - 1e-9)
    steps = STEPS if high - low <= FEW else STEPS[:1]
    found = [step * 10.0**power for power in range(low, high + 1) for step in steps]
    return [(v, f"{v:g}") for v in found if 0.999 * ends[0] < v < 1.001 * ends[1]]


def mark(axes: Axes, at: Point, css: str, words: str, *, is_peer: bool = False) -> str:
    """A point with words for who rests on it: a disc, or a peer's square."""
    x, y = axes.x(at[0]), axes.y(at[1])
    shape = (
        f'<rect class="{css} peer" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">'
        if is_peer
        else f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="4.5">'
    )
    end = "</rect>" if is_peer else "</circle>"
    return f"{shape}<title>{escape(words)}</title>{end}"


def line(axes: Axes, points: Iterable[Point], css: str) -> str:
    """A line through points."""
    path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
    return f'<polyline class="{css}" points="{path}"/>'


def legend(names: Iterable[tuple[str, str, str]]) -> str:
    """Words beside their marks: (words, class of the colour, "disc", "ringed" or "square")."""
    items = (
        f'<li class="{css}"><i class="{kind}"></i>{escape(words)}</li>'
        for words, css, kind in names
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
