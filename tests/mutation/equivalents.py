"""Mutants that no check can notice, as they compute the same: a list with a proof for each."""

import tomllib
from functools import cache
from pathlib import Path

from .kinds import Mutant, mutants

LIST = Path(__file__).with_suffix(".toml")
Key = tuple[str, ...]


@cache
def proofs() -> dict[Key, str]:
    """The proof of each entry, by ``Mutant.key``."""
    entries = tomllib.loads(LIST.read_text())["equivalent"]
    return {
        (entry["file"], function, kind, before, after): entry["proof"]
        for entry in entries
        for function, kind, before, after in entry["mutants"]
    }


def listed(mutant: Mutant) -> bool:
    """Does the list say that the mutant computes the same?"""
    return mutant.key in proofs()


def stale() -> list[Key]:
    """Entries that name no mutant any more: their line was changed, or is gone."""
    files = {key[0] for key in proofs()}
    made = {mutant.key for file in files for mutant in mutants(file)}
    return [key for key in proofs() if key not in made]
