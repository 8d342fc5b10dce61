"""The short table at the end, for people: what failed, then speed beside the peers."""

from collections import defaultdict
from typing import Any

from . import progress
from .items import Session

Rows = dict[progress.Key, dict[str, Any]]


def text(session: Session, rows: Rows) -> str:
    """Markdown: steps, failures, ceilings, time of each workload by kernel and peer."""
    parts = [f"# {session.stem}", _steps(rows), _failures(rows)]
    if not session.rehearsal:
        parts += [_ceilings(rows), _speed(rows), _training(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _steps(rows: Rows) -> str:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (step, _), row in rows.items():
        counts[step][_kind(row)] += 1
    kinds = ("result", "error", "not available", "out of time")
    lines = ["| step | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    for step, found in counts.items():
        lines.append(f"| {step} | " + " | ".join(str(found[kind]) for kind in kinds) + " |")
    return "\n".join(lines)


def _kind(row: dict[str, Any]) -> str:
    if row.get("reason") == progress.LATER:
        return "out of time"
    return next((kind for kind in ("result", "error") if kind in row), "not available")


def _failures(rows: Rows) -> str:
    found = [
        f"- {step}: {key}: {row['error'].splitlines()[0][:200]}"
        for (step, key), row in rows.items()
        if "error" in row
    ]
    return "\n".join(["## Failed", *found]) if found else ""


def _ceilings(rows: Rows) -> str:
    lines = []
    for (step, key), row in rows.items():
        if step == "ceilings" and "result" in row:
            ((unit, value),) = row["result"].items()
            lines.append(f"- {key}: {value / 1e12:.2f} T{unit.replace('_per_', '/')}")
    return "\n".join(["## Ceilings", *lines]) if lines else ""


def _bound(rows: Rows, result: dict[str, Any]) -> float | None:
    """Seconds that fp32 arithmetic and memory traffic take at the measured ceilings."""
    try:
        flops = rows["ceilings", "matmul fp32"]["result"]["flops_per_second"]
        nbytes = rows["ceilings", "copy"]["result"]["bytes_per_second"]
    except KeyError:
        return None
    return max(result["flops"] / flops, result["bytes"] / nbytes)


def _speed(rows: Rows) -> str:
    lines = ["| workload | ms | roofline | workspace MB | error |", "|---|---:|---:|---:|---:|"]
    for (step, key), row in rows.items():
        if step == "speed" and "result" in row:
            lines.append(_speed_line(key, row["result"], _bound(rows, row["result"])))
    return "\n".join(["## Speed", *lines]) if len(lines) > 2 else ""


def _speed_line(key: str, result: dict[str, Any], bound: float | None) -> str:
    share = "" if bound is None else f"{bound / result['seconds']:.0%}"
    work = f"{result['workspace'] / 1e6:.1f}" if "workspace" in result else ""
    error = "" if result.get("error") is None else f"{result['error']:.2f}"
    return f"| {key} | {1e3 * result['seconds']:.3f} | {share} | {work} | {error} |"


def _training(rows: Rows) -> str:
    lines = ["| step | ms | images/s |", "|---|---:|---:|"]
    for (step, key), row in rows.items():
        result = row.get("result", {})
        if step == "training" and "seconds" in result:
            rate = result["batch"] / result["seconds"]
            lines.append(f"| {key} | {1e3 * result['seconds']:.2f} | {rate:,.0f} |")
    return "\n".join(["## Training", *lines]) if len(lines) > 2 else ""
