"""gpuconv doctor."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ..doctor import Finding, Report, examine
from ._app import app, out

COLOURS = {"ok": "green", "warning": "yellow", "missing": "dim", "error": "red"}


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="everything as JSON")] = False,
) -> None:
    """Say what this machine has of what gpuconv can use, and what to do about the rest.

    One line each: ok, warning (works with a flaw), missing or error (here, but of no use), and
    what to do about it. The last line says which devices work and which one auto takes. Exits
    with 1 if none works.
    """
    report = examine()
    if as_json:
        print(json.dumps(_as_dict(report), indent=2))
    else:
        for finding in report.findings:
            _show(finding)
        out.print(f"usable: {', '.join(report.usable) or 'nothing'}; auto takes {report.why}")
    if not report.usable:
        raise typer.Exit(1)


def _as_dict(report: Report) -> dict[str, object]:
    findings = [asdict(finding) for finding in report.findings]
    chosen = {"auto": report.auto, "why": report.why}
    return {"findings": findings, "usable": report.usable, **chosen}


def _show(finding: Finding) -> None:
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    out.print(f"{finding.state:8}", style=COLOURS[finding.state], end=" ")
    out.print(f"{finding.name}: {finding.text}{remedy}")
