"""What is known already: a run of many minutes that was cut off goes on where it stopped.

Each outcome is a line of a file. A kill holds as long as the mutated file is the same; a survivor
is run again when the families that it is part of, the battery or the emulator changed.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .checks import sources_with
from .code import ROOT
from .kinds import Mutant
from .worker import SURVIVED, Outcome

FOLDER = ROOT / ".scratch" / "mutation"
WATCHED = (
    *("gpuconv/battery.py", "gpuconv/emulator/**/*.*", "kernels/*.*"),
    "tests/test_cuda_kernels.py",
)


def note(outcome: Outcome, path: Path) -> None:
    """Append one outcome to a file of them."""
    mutant = outcome.mutant
    row = {
        "of": identity(mutant),
        "how": outcome.how,
        "by": outcome.by,
        "state": state(mutant.file) if outcome.how == SURVIVED else "",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def known(wanted: Iterable[Mutant]) -> dict[Mutant, Outcome]:
    """The outcomes of these mutants that still hold."""
    lines = (p.read_text().splitlines() for p in sorted(FOLDER.glob("*.jsonl")))
    rows = [json.loads(line) for part in lines for line in part]
    by_identity = {(row["of"], row["state"]): row for row in rows}
    found = {}
    for mutant in wanted:
        for then in ("", state(mutant.file)):
            row = by_identity.get((identity(mutant), then))
            if row:
                found[mutant] = Outcome(mutant, row["how"], row["by"])
    return found


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
def state(file: str) -> str:
    """A hash of what decides whether a mutant of the file survives."""
    families = {s.path.parent.relative_to(ROOT).as_posix() for s in sources_with(file)}
    patterns = (*WATCHED, *(f"{family}/*.*" for family in families))
    paths = sorted({p for pattern in patterns for p in ROOT.glob(pattern) if p.is_file()})
    return _digest(*(p.read_bytes() for p in paths if p.suffix != ".pyc"))
