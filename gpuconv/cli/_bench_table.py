"""Tables of ``gpuconv bench``: one for each op, fastest first within a case."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from rich.table import Table

from ..benchmarks.figures import Row, geometric_mean
from ..benchmarks.static_rows import StaticRow

TEXTS = ("case", "kernel", "rival", "entry", "")
NETS = ("nets", "cold")
Heads = dict[str, Callable[[Row], str]]


def tables(rows: Iterable[Row]) -> Iterator[Table]:
    """A table for each op, in the order of the cases."""
    by_op: dict[str, list[Row]] = {}
    for row in rows:
        by_op.setdefault(row.op, []).append(row)
    for op, found in by_op.items():
        heads = PEAKS if found[0].suite == "memory" else WHOLE if found[0].suite in NETS else ALL
        table = _table(op, heads)
        for case, lines in groupby(found, key=lambda row: (row.case, row.batch)):
            ordered = sorted(lines, key=_speed)
            for number, row in enumerate(ordered):
                cells = [make(row) if row.timing or row.peak else "" for make in heads.values()]
                if row.timing is None and row.peak is None:
                    cells = [row.name, row.state, *cells[2:-1], row.note]
                table.add_row(_title(*case) if number == 0 else "", *cells)
            table.add_section()
        yield table


def _table(title: str, heads: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in ("case", *heads):
        table.add_column(head, justify="left" if head in TEXTS else "right")
    return table


def _optional(value: float | None) -> str:
    return "" if value is None else figure(value)


def _time(row: Row, what: str) -> str:
    return "" if row.timing is None else figure(1e3 * getattr(row.timing, what))


def _mebibytes(size: int | None) -> str:
    return "" if size is None else figure(size / 2**20)


TIMES: Heads = {
    "ms": lambda row: _time(row, "median"),
    "(shortest .. longest)": lambda row: f"{_time(row, 'shortest')} .. {_time(row, 'longest')}",
    "time / ours": lambda row: "-" if row.ratio is None else f"{row.ratio:.2f}",
}
SPEEDS: Heads = {
    "GFLOP/s": lambda row: _optional(row.gflops),
    "GB/s": lambda row: _optional(row.gigabytes),
    "% of roofline": lambda row: "" if row.roofline is None else f"{100 * row.roofline:.0f}",
}
ALL: Heads = {
    "kernel": lambda row: row.name,
    **TIMES,
    **SPEEDS,
    "workspace MiB": lambda row: _mebibytes(row.workspace),
    "error": lambda row: "" if row.error is None else f"{row.error:.2g}",
    "": lambda row: "chosen" if row.is_chosen else "",
}
WHOLE: Heads = {
    "rival": lambda row: row.name,
    **TIMES,
    "images/s": lambda row: _optional(row.images),
    "GFLOP/s": SPEEDS["GFLOP/s"],
    "% of roofline": SPEEDS["% of roofline"],
    "MiB at most": lambda row: _mebibytes(row.peak),
    "": lambda row: row.note,
}
PEAKS: Heads = {
    "rival": lambda row: row.name,
    "MiB at most": lambda row: _mebibytes(row.peak),
    "times ours": lambda row: "-" if row.ratio is None else f"{row.ratio:.2f}",
    "": lambda row: "",
}


def _title(case: str, batch: int | None) -> str:
    return case if batch is None else f"{case}, batch {batch}"


def _speed(row: Row) -> float:
    return row.timing.median if row.timing else float("inf")


def figure(value: float) -> str:
    """Three digits of a positive number, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else "0"


def static_tables(rows: Iterable[StaticRow]) -> Iterator[Table]:
    """A table for each op of what is known of CUDA kernels without a GPU: no times."""
    for op, found in groupby(rows, key=lambda row: row.op):
        table = _table(f"{op}, static: one image, not timed", STATIC)
        for case, lines in groupby(found, key=lambda row: row.case):
            for number, row in enumerate(lines):
                cells = [make(row) for make in STATIC.values()]
                table.add_row(case if number == 0 else "", *cells)
            table.add_section()
        yield table


def _needed(row: StaticRow, what: str) -> str:
    return f"{getattr(row.needs[ARCH], what)}" if row.needs and ARCH in row.needs else ""


def _counted(row: StaticRow, what: str) -> str:
    return _optional(getattr(row.counts, what)) if row.counts else ""


ARCH = "sm_90a"
STATIC: dict[str, Callable[[StaticRow], str]] = {
    "kernel": lambda row: row.kernel,
    "entry": lambda row: row.entry or row.state,
    "blocks": lambda row: str(row.blocks or ""),
    f"registers {ARCH}": lambda row: _needed(row, "registers"),
    "spilled bytes": lambda row: _needed(row, "spilled"),
    "occupancy %": lambda row: (
        f"{100 * row.needs[ARCH].occupancy:.0f}" if row.needs and ARCH in row.needs else ""
    ),
    "sectors a request": lambda row: _counted(row, "sectors_per_request"),
    "passes a request": lambda row: _counted(row, "passes_per_request"),
    "": lambda row: row.note,
}


def summary(rows: Iterable[Row]) -> list[str]:
    """A line for each peer: the geometric mean over the cases, and how many of them it wins."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.is_peer and row.timing is not None and row.ratio is not None:
            ratios.setdefault((row.suite, row.name), []).append(row.ratio)
    return [
        f"{suite}: {name} takes {geometric_mean(found):.2f} times as long as "
        f"{'the chosen kernel' if suite == 'kernels' else 'gpuconv'} (geometric mean of "
        f"{len(found)} cases); faster in {sum(ratio < 1 for ratio in found)} of them"
        for (suite, name), found in ratios.items()
    ]
