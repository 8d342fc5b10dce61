"""The suite of cold starts: from a new process to the end of its first training step.

A process imports, builds the net and takes a step. Ours starts once with an empty cache, where all
kernels are compiled, and then some times with the cache that this left. Peers import gpuconv too,
which draws the values for all.
"""

import json
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, replace
from time import perf_counter

from gpuconv import cpu

from . import figures
from .cpu_vs_peers import child, whole
from .cpu_vs_peers.nets import OURS, TORCH, Work
from .figures import Row
from .measure import timing_of
from .process import Process
from .whole_nets import Limits, invited

EMPTY, WARM = f"{OURS}, empty cache", f"{OURS}, warm cache"
STARTS = 3  # with a warm cache, and of every peer
OP = "first training step of a process"


def rows(work: Work, limits: Limits) -> list[Row]:
    """A row for each rival; ratios are to our start with a warm cache."""
    found = []
    with tempfile.TemporaryDirectory() as cache:
        for name in invited(limits.peers):
            if name == OURS:
                found += [_row(work, EMPTY, name, cache, 1), _row(work, WARM, name, cache, STARTS)]
            else:
                found.append(_row(work, name, name, cache, STARTS))
    return _against_warm(found)


def _row(work: Work, shown: str, name: str, cache: str, starts: int) -> Row:
    row = Row(
        work.net, OP, f"{work.net} n={work.batch}", work.batch, shown, not shown.startswith(OURS),
        figures.MEASURED, is_chosen=shown == WARM, suite="cold",
    )  # fmt: skip
    lacking = whole.lacking(name, work)
    if lacking is not None:
        return replace(row, state=lacking.state, note=lacking.note)
    try:
        times = [_start(name, work, cache) for _ in range(starts)]
    except RuntimeError as ended:
        return replace(row, state=figures.FAILED, note=str(ended))
    built = min(inner for _, inner in times)
    note = f"of these {built:.2f} s to build and step" if starts == 1 else ""
    return replace(row, timing=timing_of([whole_time for whole_time, _ in times]), note=note)


def _start(name: str, work: Work, cache: str) -> tuple[float, float]:
    """Seconds from the start of a process to its step's end; and of these, after the imports."""
    threads = str(cpu.get_num_threads())
    begin = perf_counter()
    process = Process(
        __name__, name, threads, json.dumps(asdict(work)),
        GPUCONV_CACHE=cache, OPENBLAS_NUM_THREADS=threads,
    )  # fmt: skip
    with closing(process):
        inner = float(process.ask("\n"))
        return perf_counter() - begin, inner


def _against_warm(found: list[Row]) -> list[Row]:
    warm = next(row for row in found if row.name == WARM)
    if warm.timing is None:
        return found
    median = warm.timing.median
    return [replace(r, ratio=r.timing.median / median) if r.timing else r for r in found]


def main(rival: str, threads: str, work: str) -> None:
    """What the process does: a step as soon as it is told, then the seconds that it took."""
    answers, sys.stdout = sys.stdout, sys.stderr
    child.set_threads(int(threads), torch=rival in TORCH)
    begin = perf_counter()
    child.call(rival, Work(**json.loads(work)))()
    sys.stdin.readline()
    print(perf_counter() - begin, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
