"""The parts of the page, put together."""

from collections.abc import Iterable, Iterator
from html import escape

from ..figures import MEASURED
from ..history import Line
from ..suite import Result
from . import plots, tables
from .style import CSS

MARKS = (
    "How many times as long a rival takes as the kernel that gpuconv takes by itself (ms): the "
    "median over rounds in turn. Above 1 gpuconv is faster; a triangle marks where it is slower."
)


def page(result: Result, kept: Iterable[Line] = ()) -> str:
    """One HTML file of a run, and of the runs before it that were ``kept``."""
    return document("gpuconv bench", "\n".join(filter(None, _parts(result, list(kept)))))


def document(title: str, body: str) -> str:
    """An HTML file with the house's style inside."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def _parts(result: Result, kept: list[Line]) -> Iterator[str]:
    rows = [row for row in result.rows if row.state == MEASURED]
    names = list(dict.fromkeys((row.name, row.is_peer) for row in result.rows))
    yield _head(result)
    if rows:
        yield section("Rooflines", plots.ROOFLINE, plots.roofline(rows, result.roof, names))
        yield section("Against the peers", MARKS, tables.speedups(result.rows))
        yield section("From the plainest to the best", plots.LADDER, plots.ladder(rows))
        yield section("Time against batch size", "", plots.batches(rows, names))
        yield section("History", plots.HISTORY, plots.history(result, kept))
    yield section("Every figure", tables.FIGURES, tables.every(result.rows))


def section(title: str, words: str, inside: str) -> str:
    """A part of a page under its title; nothing where there is nothing inside."""
    if not inside:
        return ""
    text = f'<p class="dim">{escape(words)}</p>' if words else ""
    return f"<section><h2>{escape(title)}</h2>{text}{inside}</section>"


def _head(result: Result) -> str:
    here, roof = result.environment, result.roof
    facts = {
        "command": f"<code>{escape(result.command)}</code>",
        "device": escape(f"{result.device}; {here['cpu']}, {here['simd']}"),
        "threads": f"{here['threads']} each; NumPy's BLAS {here['blas_threads']}",
        "ceilings": f"{roof.flops / 1e9:.0f} GFLOP/s of multiply-adds, {roof.bandwidth / 1e9:.1f} "
        "GB/s copied (read plus written), measured at the start of this run",
        "versions": escape(", ".join(f"{k} {v}" for k, v in here["versions"].items())),
        "system": escape(f"{here['system']}, Python {here['python']}"),
        "date": escape(here["date"]),
    }
    if result.done < result.expected:
        facts["interrupted"] = f"after {result.done} of {result.expected} cases"
    if result.device == "cpu":
        facts["not here"] = "no GPU was timed"
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items())
    return f"<h1>gpuconv bench</h1><dl>{listed}</dl>"
