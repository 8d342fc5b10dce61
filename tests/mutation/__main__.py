"""``python -m mutation run [FILE ...]`` runs mutants of these files (default: of every source) in
two processes, and goes on where it stopped; ``sample FILE`` one mutant of each kind.

Run it from the root with ``PYTHONPATH=.:tests``, or through test_mutation.py.
"""

import functools
import json
import multiprocessing
import random
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
    known = progress.known(wanted)
    missing = [mutant for mutant in wanted if mutant not in known]
    missing.sort(key=equivalents.listed)  # they take longest and tell least
    if missing and not _in_processes(missing):
        return 1
    known = progress.known(wanted)
    found = [known[mutant] for mutant in wanted]
    result, wrong = report.summary(found), report.problems(found)
    if not files:
        report.write(result)
    print(json.dumps({key: result[key] for key in ("made", *report.FATES, "survivors")}, indent=1))
    print(*wrong, sep="\n")
    return bool(wrong)


def _in_processes(missing: list[kinds.Mutant]) -> bool:
    """Share the mutants out, one measurement for all; did every process end well?"""
    reach, context = checks.measure(), multiprocessing.get_context("fork")
    parts = [(missing[number::PROCESSES], reach, number) for number in range(PROCESSES)]
    running = [context.Process(target=_part, args=part) for part in parts]
    for process in running:
        process.start()
    for process in running:
        process.join()
    return all(process.exitcode == 0 for process in running)


def _part(mutants: list[kinds.Mutant], reach: checks.Reach, number: int) -> None:
    for outcome in worker.outcomes(mutants, reach):
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
    sys.exit({"run": run, "sample": sample}[command](*words))
