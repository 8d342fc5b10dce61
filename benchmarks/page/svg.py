"""Plots as inline SVG: logarithmic axes, points and lines; colours are the page's classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 46
COLOURS = 10
Point = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """Decades from the least to the greatest value along both axes."""

    xs: Point
    ys: Point
    x_label: str
    y_label: str

    def x(self, value: float) -> float:
        """Where a value lies from the left, in the picture's units."""
        return LEFT + (WIDTH - LEFT - RIGHT) * _part(value, self.xs)

    def y(self, value: float) -> float:
        """Where a value lies from the top, in the picture's units."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _part(value, self.ys)


def _part(value: float, ends: Point) -> float:
    low, high = map(log10, ends)
    return (log10(value) - low) / (high - low)


def axes(points: Iterable[Point], x_label: str, y_label: str) -> Axes:
    """Axes in whole decades around positive points."""
    xs, ys = zip(*points, strict=True)
    return Axes(_decades(xs), _decades(ys), x_label, y_label)


def _decades(values: Sequence[float]) -> Point:
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def picture(axes: Axes, parts: Iterable[str], title: str) -> str:
    """An SVG that grows and shrinks with the page."""
    inside = "".join([*_grid(axes), *parts])
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    return f'<svg {box} aria-label="{escape(title)}">{inside}</svg>'


def _grid(axes: Axes) -> Iterable[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in _ticks(axes.xs):
        x = axes.x(value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value in _ticks(axes.ys):
        y = axes.y(value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes.x_label)}</text>'
    middle = (TOP + bottom) / 2
    yield (
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes.y_label)}</text>"
    )


def _ticks(ends: Point) -> list[float]:
    low, high = (round(log10(end)) for end in ends)
    return [10.0**power for power in range(low, high + 1)]


def mark(axes: Axes, at: Point, colour: int, words: str, *, is_peer: bool = False) -> str:
    """A point with words for who rests on it: a disc, or a peer's square."""
    x, y = axes.x(at[0]), axes.y(at[1])
    shape = (
        f'<rect class="peer" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8">'
        if is_peer
        else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5">'
    )
    end = "</rect>" if is_peer else "</circle>"
    return f'<g class="c{colour % COLOURS}">{shape}<title>{escape(words)}</title>{end}</g>'


def line(axes: Axes, points: Iterable[Point], css: str) -> str:
    """A line through points."""
    path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
    return f'<polyline class="{css}" points="{path}"/>'


def legend(names: Sequence[tuple[str, bool]]) -> str:
    """Names beside their marks; True for peers."""
    items = (
        f'<li class="c{number % COLOURS}"><i class="{"square" if is_peer else "disc"}"></i>'
        f"{escape(name)}</li>"
        for number, (name, is_peer) in enumerate(names)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
