"""What is known already: a run of many minutes that was cut off goes on where it stopped.

Each outcome is a line of a file. A kill holds as long as the mutated file is the same; a survivor
is run again when anything changed that could notice it now.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .code import ROOT
from .kinds import Mutant
from .worker import SURVIVED, Outcome

FOLDER = ROOT / ".scratch" / "mutation"
WATCHED = ("gpuconv/**/*", "kernels/**/*", "tests/test_cuda_kernels.py")
SUFFIXES = {".cpp", ".cu", ".cuh", ".h", ".py"}


def note(outcome: Outcome, path: Path) -> None:
    """Append one outcome to a file of them."""
    mutant = outcome.mutant
    row = {
        "of": identity(mutant),
        "how": outcome.how,
        "by": outcome.by,
        "state": state() if outcome.how == SURVIVED else "",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def known(wanted: Iterable[Mutant]) -> dict[Mutant, Outcome]:
    """The outcomes of these mutants that still hold."""
    rows = {}
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["state"] in ("", state()):
                rows[row["of"]] = row
    found = ((mutant, rows.get(identity(mutant))) for mutant in wanted)
    return {mutant: Outcome(mutant, row["how"], row["by"]) for mutant, row in found if row}


def identity(mutant: Mutant) -> str:
    """Names a mutant and the text of its file."""
    return _digest(_text(mutant.file), str(mutant.number), mutant.after.encode())


def _digest(*parts: str | bytes) -> str:
    whole = b"\0".join(p.encode() if isinstance(p, str) else p for p in parts)
    return hashlib.sha256(whole).hexdigest()[:24]


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text()


@cache
def state() -> str:
    """A hash of all that decides whether a mutant survives."""
    paths = sorted({p for pattern in WATCHED for p in ROOT.glob(pattern) if p.suffix in SUFFIXES})
    return _digest(*(p.read_bytes() for p in paths))
