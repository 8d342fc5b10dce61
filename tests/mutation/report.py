"""What a run found, as numbers by file and kind: the result that is kept in the repository."""

import json
import subprocess
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from . import equivalents
from .code import ROOT
from .worker import COMPILE, SURVIVED, Outcome

COMMAND = ".venv/bin/pytest -m exhaustive -k mutation"
FATES = ("killed", SURVIVED, "equivalent", COMPILE)
RESULT = Path(__file__).with_name("result.json")
EACH = 8  # mutants of a kind in a file, at most
NOTICED = 0.95  # of the mutants that compile and are not equivalent, at least
EQUIVALENT = 0.1  # of all, at most


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Counts by file and kind, how mutants were noticed, and each one that was not."""
    rows: dict[tuple[str, str], Counter] = {}
    for outcome in outcomes:
        rows.setdefault((outcome.mutant.file, outcome.mutant.kind), Counter())[fate(outcome)] += 1
    total = Counter(fate(outcome) for outcome in outcomes)
    return {
        "commit": _git("rev-parse", "HEAD"),
        "date": date.today().isoformat(),
        "command": COMMAND,
        "mutants": f"of each kind and file {EACH}, drawn by a seed, or all if there are fewer",
        "made": len(outcomes),
        **{name: total[name] for name in FATES},
        "noticed by": dict(Counter(o.how for o in outcomes if o.killed).most_common()),
        "survivors": [str(o.mutant) for o in outcomes if fate(o) == SURVIVED],
        "columns": ["file", "kind", "made", *FATES],
        "rows": [[*k, n.total(), *(n[name] for name in FATES)] for k, n in sorted(rows.items())],
    }


def fate(outcome: Outcome) -> str:
    """One of FATES."""
    if outcome.killed or outcome.how == COMPILE:
        return "killed" if outcome.killed else COMPILE
    return "equivalent" if equivalents.listed(outcome.mutant) else SURVIVED


def problems(outcomes: list[Outcome]) -> list[str]:
    """Shares that are not as they should be, and entries of the list that were killed."""
    count = Counter(fate(outcome) for outcome in outcomes)
    share = count["killed"] / max(1, count["killed"] + count[SURVIVED])
    same = count["equivalent"] / max(1, len(outcomes))
    killed = [outcome for outcome in outcomes if outcome.killed]
    wrong = [f"no equivalent: {o.mutant}" for o in killed if equivalents.listed(o.mutant)]
    if share < NOTICED:
        wrong.append(f"{share:.1%} of the mutants were noticed, expected {NOTICED:.0%}")
    if same > EQUIVALENT:
        wrong.append(f"{same:.1%} of the mutants are equivalent, expected {EQUIVALENT:.0%} at most")
    return wrong


def write(found: dict[str, Any], path: Path = RESULT) -> None:
    """As JSON, a row of the table to a line."""
    rows = ",\n  ".join(json.dumps(row) for row in found["rows"])
    text = json.dumps({**found, "rows": []}, indent=1)
    path.write_text(text.replace('"rows": []', f'"rows": [\n  {rows}\n ]') + "\n")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
