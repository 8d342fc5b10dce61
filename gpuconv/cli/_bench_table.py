"""Tables of ``gpuconv bench``: one for each op, fastest first within a case."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.table import Table

from ..benchmarks.figures import MEASURED, Row, geometric_mean

HEADS = ("case", "kernel", "ms", "(shortest .. longest)", "time / ours", "GFLOP/s", "GB/s")
MORE = ("% of roofline", "workspace MiB", "error", "")
TEXTS = ("case", "kernel", "")


def tables(rows: Iterable[Row]) -> Iterator[Table]:
    """A table for each op, in the order of the cases."""
    by_op: dict[str, list[Row]] = {}
    for row in rows:
        by_op.setdefault(row.op, []).append(row)
    for op, found in by_op.items():
        table = Table(title=op, title_justify="left", title_style="bold")
        for head in (*HEADS, *MORE):
            table.add_column(head, justify="left" if head in TEXTS else "right")
        for case, lines in groupby(found, key=lambda row: (row.case, row.batch)):
            ordered = sorted(lines, key=_speed)
            for number, row in enumerate(ordered):
                table.add_row(_title(*case) if number == 0 else "", *_cells(row))
            table.add_section()
        yield table


def _title(case: str, batch: int | None) -> str:
    return case if batch is None else f"{case}, batch {batch}"


def _speed(row: Row) -> float:
    return row.timing.median if row.timing else float("inf")


def _cells(row: Row) -> list[str]:
    if row.timing is None:
        return [row.name, row.state, *[""] * 7, row.note]
    timing = row.timing
    return [
        row.name,
        figure(1e3 * timing.median),
        f"{figure(1e3 * timing.shortest)} .. {figure(1e3 * timing.longest)}",
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.gflops is None else figure(row.gflops),
        "" if row.gigabytes is None else figure(row.gigabytes),
        "" if row.roofline is None else f"{100 * row.roofline:.0f}",
        "" if row.workspace is None else figure(row.workspace / 2**20),
        "" if row.error is None else f"{row.error:.2g}",
        "chosen" if row.is_chosen else "",
    ]


def figure(value: float) -> str:
    """Three digits of a positive number, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else "0"


def summary(rows: Iterable[Row]) -> list[str]:
    """A line for each peer: the geometric mean over the cases, and how many of them it wins."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row.is_peer and row.state == MEASURED and row.ratio is not None:
            ratios.setdefault(row.name, []).append(row.ratio)
    return [
        f"{name}: takes {geometric_mean(found):.2f} times as long as the chosen kernel (geometric "
        f"mean of {len(found)} cases); faster in {sum(ratio < 1 for ratio in found)} of them"
        for name, found in ratios.items()
    ]
