"""The tables of ``gpuconv explain``: a section for each call, and what all take together."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from ..candidates import Candidate
from ..explanation import Explanation, Line
from ._bench_table import figure

HEADS = ("layer", "pass", "op, kernel", "ms", "% of roofline", "workspace MiB", "error", "why")
TEXTS = ("layer", "pass", "op, kernel", "why")
Launches = dict[tuple[int, str], list[dict[str, Any]]]


def lines(found: Explanation, launches: Launches, *, brief: bool = False) -> Table:
    """Every call with its candidates, the chosen one first; ``brief`` shows no other."""
    table = Table()
    for head in HEADS:
        table.add_column(head, justify="left" if head in TEXTS else "right")
    for number, line in enumerate(found.lines):
        shown = line.candidates[:1] if brief and line.chosen else line.candidates
        table.add_row(line.name, line.phase, line.op, "", "", "", "", line.brief, style="bold")
        for one in shown:
            table.add_row(*_cells(found, line, one, launches.get((number, one.name), [])))
        for hint in line.hints:
            table.add_row("", "", "", "", "", "", "", hint, style="red")
        table.add_section()
    return table


def _cells(
    found: Explanation, line: Line, one: Candidate, launched: list[dict[str, Any]]
) -> list[str]:
    share, mark = found.share(line, one), "* " if one.chosen else "  "
    time = "" if one.seconds is None else figure(1e3 * one.seconds)
    drift = "" if one.kernel.deterministic else "not deterministic; "
    return [
        "",
        "",
        mark + one.name,
        f"{time} measured" if one.measured is not None else time,
        "" if share is None else f"{100 * share:.0f}",
        "" if one.workspace is None else figure(one.workspace / 2**20),
        f"{one.error:.0e}" if one.error else "exact",
        drift + one.reason + "".join(f"; {launch(row)}" for row in launched),
    ]


def launch(row: dict[str, Any]) -> str:
    """A launch in a few words."""
    text = f"{row['entry']}: {row['blocks']:,} blocks of {row['threads']} threads"
    if "registers" in row:
        text += f", {row['registers']} registers"
        text += f", {row['blocks on a multiprocessor']} blocks on a multiprocessor"
        spilled = row["spilled bytes"]
        text += f", {spilled} bytes spilled" if spilled else ""
    return text


def totals(found: Explanation) -> Table:
    """Milliseconds by pass and op, most first."""
    table = Table()
    for head in ("pass", "op", "calls", "ms", "% of all"):
        table.add_column(head, justify="left" if head in ("pass", "op") else "right")
    for (phase, op), seconds in sorted(found.by_op().items(), key=lambda pair: -pair[1]):
        count = _count(found.lines, phase, op)
        share = 100 * seconds / found.seconds if found.seconds else 0.0
        table.add_row(phase, op, str(count), figure(1e3 * seconds), f"{share:.1f}")
    table.add_section()
    every = str(sum(len(line.layers) for line in found.lines))
    table.add_row("together", "", every, figure(1e3 * found.seconds), "", style="bold")
    return table


def _count(found: Iterable[Line], phase: str, op: str) -> int:
    return sum(len(line.layers) for line in found if (line.phase, line.op) == (phase, op))


def footer(found: Explanation) -> list[str]:
    """What the figures are, and what has none."""
    roof = found.ceiling
    said = [
        f"ms are predicted, not measured, unless it says so; ceilings: {figure(roof.flops / 1e9)} "
        f"GFLOP/s and {figure(roof.bandwidth / 1e9)} GB/s ({roof.words})",
        f"most workspace of a call: {figure(found.workspace / 2**20)} MiB",
    ]
    untimed = sorted({line.op for line in found.lines if line.chosen and line.seconds is None})
    refused = sorted({f"{line.op} of {line.name}" for line in found.lines if not line.chosen})
    if untimed:
        said.append(f"nothing predicts the time of {', '.join(untimed)}: not in the sum")
    if refused:
        said.append(f"no kernel takes {', '.join(refused)}: not in the sum")
    return said
