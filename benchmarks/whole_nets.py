"""The suites of whole nets: steps in a second, memory at most, and the first step of a process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gpuconv import cpu

from . import figures
from .cpu_vs_peers import whole
from .cpu_vs_peers.ceilings import Ceilings
from .cpu_vs_peers.nets import BASELINE, OURS, Work
from .figures import Row
from .measure import Rivals

WAYS = ("inference", "training step")
FACTOR = 8  # times a case's seconds: a step takes longer than a kernel


@dataclass(frozen=True)
class Limits:
    """Seconds and rounds for each case, and the peers that were asked for."""

    seconds: float
    rounds: int
    peers: tuple[str, ...]


def works(net: str, batch: int) -> list[Work]:
    """Both ways of a net."""
    return [Work(net, batch, way == WAYS[1]) for way in WAYS]


def steps(work: Work, roof: Ceilings, limits: Limits) -> list[Row]:
    """A row for each rival on a whole net: time of a step, and memory."""
    found, timed = whole.contest(
        work, cpu.get_num_threads(), rivals=invited(limits.peers),
        seconds=FACTOR * limits.seconds, rounds=limits.rounds,
    )  # fmt: skip
    return [_timed(_row("nets", work, name, one), timed, roof) for name, one in found.items()]


def _timed(row: Row, timed: Rivals, roof: Ceilings) -> Row:
    if row.name not in timed.samples:
        return row
    timing = timed.timing(row.name)
    return replace(
        row,
        timing=timing,
        ratio=timed.ratio(row.name, OURS) if OURS in timed.samples else None,
        roofline=figures.share(row.flops, 0, timing.median, roof),
    )


def memory(work: Work, roof: Ceilings, limits: Limits) -> list[Row]:
    """A row for each rival: the most that a process of its own held; its ratio is of bytes."""
    found = whole.memory(work, cpu.get_num_threads(), invited(limits.peers))
    rows = [_row("memory", work, name, one) for name, one in found]
    ours = next((row.peak for row in rows if row.name == OURS), None)
    return [_against(row, ours) for row in rows]


def _against(row: Row, ours: int | None) -> Row:
    if row.state != figures.MEASURED:
        return row
    if row.peak is None:
        return replace(row, state=figures.REFUSED, note="only Linux tells the most memory held")
    note = f"{row.peak / 2**20:.0f} MiB at most"
    return replace(row, note=note, ratio=row.peak / ours if ours else None)


def _row(suite: str, work: Work, name: str, one: whole.Outcome) -> Row:
    way = WAYS[work.is_training]
    return Row(
        work.net, way if suite == "nets" else f"memory of {way}", f"{work.net} n={work.batch}",
        work.batch, name, name != OURS, one.state, one.note, name == OURS,
        flops=work.flops if suite == "nets" else 0, suite=suite, peak=one.peak,
    )  # fmt: skip


def invited(peers: Iterable[str]) -> Iterator[str]:
    """Ours, and every way of the peers that were asked for."""
    names = {"numpy": BASELINE}
    wanted = [names.get(name, name) for name in peers]
    return (n for n in whole.RIVALS if n == OURS or any(n.startswith(w) for w in wanted))
