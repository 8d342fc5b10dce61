"""GPU kernels without a GPU: what is known of them without running them, apart from all times."""

from html import escape

from ..static_rows import Needs, StaticRow
from .names import short

STATIC = (
    "Static: no GPU was timed, and nothing here is a time. Registers, spilled and shared bytes are "
    "of kernels compiled for the architecture named; sectors (4 for a warp on 32 floats in a row) "
    "and passes (1 is free of bank conflicts) were counted on the emulated GPU, for one image."
)
HEADS = ("kernel", "entry", "blocks", "threads", "registers", "spilled", "shared bytes",
         "occupancy %", "sectors / request", "passes / request")  # fmt: skip
TEXTS = HEADS[:2]


def static(rows: list[StaticRow]) -> str:
    """A table for each op: a line for each launch of each kernel on each case.

    Rows are of one image, so that the cases of several batches have the same: one of them stands.
    """
    by_op: dict[str, dict[tuple, StaticRow]] = {}
    for row in rows:
        key = row.case, row.problem, row.kernel, row.number
        by_op.setdefault(row.op, {}).setdefault(key, row)
    return "".join(_of_op(op, list(found.values())) for op, found in by_op.items())


def _of_op(op: str, found: list[StaticRow]) -> str:
    arch = newest(found)
    heads = "".join(f"<th{' class=text' if h in TEXTS else ''}>{h}</th>" for h in HEADS)
    lines, before = [], None
    for row in found:
        lines.append(_line(row, arch, is_first=row.problem != before))
        before = row.problem
    return (
        f"<details><summary>{escape(op)} <small>static, {escape(arch or 'not compiled')}; "
        f"{len(found)} launches</small></summary><div class='wide'><table><thead><tr><th>case</th>"
        f"{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></details>"
    )


def newest(rows: list[StaticRow]) -> str | None:
    """The last architecture that the most launches were compiled for."""
    counts: dict[str, int] = {}
    for arch in (arch for row in rows for arch in row.needs or {}):
        counts[arch] = counts.get(arch, 0) + 1
    return max(counts, key=lambda arch: (counts[arch], len(arch), arch), default=None)


def _line(row: StaticRow, arch: str | None, *, is_first: bool) -> str:
    case = escape(row.case) if is_first else ""
    about = f" class=first title='{escape(row.problem, quote=True)}'" if is_first else ""
    start = f"<tr{about}><th>{case}</th><td class=text>{escape(row.kernel)}</td>"
    if not row.entry:
        note = escape(f"{row.state}: {row.note}")
        return f"{start}<td colspan={len(HEADS) - 1} class='note dim'>{note}</td></tr>"
    cells = "".join(f"<td>{text}</td>" for text in _figures(row, (row.needs or {}).get(arch or "")))
    return f"{start}<td class=text>{escape(row.entry)}</td>{cells}</tr>"


def _figures(row: StaticRow, needs: Needs | None) -> list[str]:
    compiled = ["-"] * 4
    if needs is not None:
        compiled = [f"{v:,}" for v in (needs.registers, needs.spilled, needs.shared)]
        compiled.append(f"{100 * needs.occupancy:.0f}")
    counts = row.counts
    counted = (counts.sectors_per_request, counts.passes_per_request) if counts else (None, None)
    return [f"{row.blocks:,}", f"{row.threads:,}", *compiled, *(short(v) or "-" for v in counted)]
