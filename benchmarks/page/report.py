"""The parts of the page, put together."""

from collections.abc import Iterable, Iterator
from html import escape

from ..figures import MEASURED
from ..history import Line, lines
from ..suite import KERNELS, Result
from . import gpu, nets, past, plots, svg, tables
from .style import CSS

MARKS = (
    "How many times as long a rival takes as the kernel that gpuconv takes by itself (ms): the "
    "median over rounds in turn, for the fastest of a library's formats or kernels. Above 1 "
    "gpuconv is faster; a triangle marks where it is slower. Rest on a cell to read more."
)
BUSY = 0.5  # cores
BATCHES = "Milliseconds for each image: a falling line gains from a larger batch."


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
    sections = [parts for parts in _sections(result, kept) if parts[-1]]
    links = (f"<a href='#{svg.slug(title)}'>{title}</a>" for title, *_ in sections)
    yield _head(result)
    yield f"<nav>{' '.join(links)}</nav>"
    yield from (section(*parts) for parts in sections)


def _sections(result: Result, kept: list[Line]) -> Iterator[tuple[str, str, str]]:
    """Title, words and inside, which may be empty."""
    every = [row for row in result.rows if row.suite == KERNELS]
    rows = [row for row in every if row.state == MEASURED]
    yield from ((title, nets.WHOLE, inside) for title, inside in nets.suites(result.rows))
    if rows:
        yield "Against the peers", MARKS, tables.speedups(every)
        yield "Rooflines", plots.ROOFLINE, plots.roofline(rows, result.roof)
        yield "From the plainest to the best", plots.LADDER, plots.ladder(rows)
        yield "Errors beside times", plots.ERRORS, plots.errors(rows)
        yield "Time against batch size", BATCHES, plots.batches(rows)
    yield "History", past.HISTORY, past.history(_with_this(result, kept))
    yield "GPU kernels, static", gpu.STATIC, gpu.static(result.static)
    yield "Every figure", tables.FIGURES, tables.every(every)


def _with_this(result: Result, kept: list[Line]) -> list[Line]:
    """What was kept, and this run, which may be among it."""
    is_kept = any(line["date"] == result.environment["date"] for line in kept)
    return kept if is_kept or not kept else [*kept, *lines(result, result.rows)]


def section(title: str, words: str, inside: str) -> str:
    """A part of a page under its title; nothing where there is nothing inside."""
    if not inside:
        return ""
    return (
        f'<section id="{svg.slug(title)}"><h2>{escape(title)}</h2>'
        f'<p class="dim">{escape(words)}</p>{inside}</section>'
    )


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
    facts |= dict(_warnings(result))
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts.items())
    return f"<h1>gpuconv bench</h1><dl>{listed}</dl>"


def _warnings(result: Result) -> Iterator[tuple[str, str]]:
    """What a reader should know before any figure."""
    busy = result.environment.get("busy_cores") or 0
    if busy > BUSY:
        words = (
            f"{busy} cores were busy with other work when this began: who waits for a core looks "
            "slow, peers most of all, whose threads spin"
        )
        yield "beware", f"<strong>{words}</strong>"
    if result.done < result.expected:
        yield "interrupted", f"after {result.done} of {result.expected} cases"
    if result.device == "cpu":
        yield "not here", "no GPU was timed"
