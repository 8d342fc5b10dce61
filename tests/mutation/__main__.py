"""``python -m mutation run [FILE ...]`` runs mutants of these files (default: of every source) in
two processes, and goes on where it stopped; ``sample FILE`` one mutant of each kind.

Run it from the root with ``PYTHONPATH=.:tests``, or through test_mutation.py.
"""

import functools
import json
import random
import subprocess
import sys

from . import checks, code, equivalents, kinds, progress, report, worker

PROCESSES = 2


def chosen(files: tuple[str, ...]) -> list[kinds.Mutant]:
    """Some mutants of each kind of these files, or of all; a larger EACH takes others besides."""
    return [
        mutant
        for file in files or code.sources()
        for kind in kinds.KINDS
        for mutant in _shuffled(file, kind)[: report.EACH]
    ]


def run(*files: str) -> int:
    """Run what is not known yet, print and keep the result; 1 if something is wrong with it."""
    wanted = chosen(files)
    parts = [["part", str(number), *files] for number in range(PROCESSES)]
    running = [subprocess.Popen([sys.executable, "-m", "mutation", *part]) for part in parts]
    codes = [process.wait() for process in running]
    if any(codes):
        return 1
    known = progress.known(wanted)
    found = [known[mutant] for mutant in wanted]
    result, wrong = report.summary(found), report.problems(found)
    if not files:
        report.write(result)
    print(json.dumps({key: result[key] for key in ("made", *report.FATES, "survivors")}, indent=1))
    print(*wrong, sep="\n")
    return bool(wrong)


def part(number: str, *files: str) -> None:
    """One process's share of the mutants that are not known yet."""
    wanted = chosen(files)[int(number) :: PROCESSES]
    known = progress.known(wanted)
    missing = [mutant for mutant in wanted if mutant not in known]
    missing.sort(key=equivalents.listed)  # they take longest and tell least
    if missing:
        reach = checks.measure()
        for outcome in worker.outcomes(missing, reach):
            progress.note(outcome, progress.FOLDER / f"{number}.jsonl")
            print(f"{outcome.how:24} {outcome.mutant}", flush=True)


def sample(file: str) -> None:
    """One mutant of each kind that compiles and is not listed as equivalent, as lines of JSON."""
    reach = checks.measure(file.split("/")[1], tests=False)
    for kind in kinds.KINDS:
        wanted = [m for m in _shuffled(file, kind) if not equivalents.listed(m)]
        for outcome in worker.outcomes(wanted, reach):
            if outcome.how != worker.COMPILE:
                print(json.dumps([kind, outcome.how, str(outcome.mutant)]), flush=True)
                break


def _shuffled(file: str, kind: str) -> list[kinds.Mutant]:
    found = [mutant for mutant in _mutants(file) if mutant.kind == kind]
    random.Random(f"{file} {kind}").shuffle(found)
    return found


_mutants = functools.cache(kinds.mutants)


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    sys.exit({"run": run, "part": part, "sample": sample}[command](*words))
