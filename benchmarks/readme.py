"""The tables of README.md that hold speeds, made of what is committed in benchmarks/results/.

``python -m gpuconv.benchmarks.readme`` prints them; ``--write`` puts each between its markers, and
tests/test_bench_readme.py holds README.md to them. Of every line the newest figure counts.
"""

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gpuconv.errors import DataError

from . import kept
from .cpu_vs_peers.nets import WORK
from .kept import Net, Place, Run
from .ladder import table

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- bench: {} -->\n", "<!-- bench: end -->\n"
MARKED = re.compile(r"<!-- bench: (?!end -->)(.+?) -->\n(.*?)<!-- bench: end -->\n", re.DOTALL)
NETS = ("work", "ms", "PyTorch's ms", "PyTorch / ours", "onnxruntime / ours", "NumPy / ours", "MiB",
        "PyTorch's MiB", "measured")  # fmt: skip
RUNS = ("model", "parameters", "data", "command", "test accuracy", "time", "measured")


def nets(folder: Path) -> str:
    """Whole nets against the peers: a table for each machine."""
    newest: dict[str, Net] = {}
    for net in kept.nets(folder):
        newest[net.work] = net
    order = [str(work) for work in WORK]
    found = sorted(newest.values(), key=lambda net: _rank(net.work, order))
    lacking = [work for work in order if work not in newest]
    text = "\n".join(_by_machine(NETS, found, _net))
    return text + (f"\nNot measured yet: {'; '.join(lacking)}.\n" if lacking else "")


def _rank(work: str, order: list[str]) -> tuple[int, str]:
    return (order.index(work) if work in order else len(order)), work


def _net(net: Net) -> tuple[object, ...]:
    torch = net.torch
    return (
        net.work,
        _number(1e3 * net.seconds),
        _number(1e3 * torch.seconds) if torch else "-",
        *(_ratio(rival.ratio if rival else None) for rival in (torch, net.onnxruntime, net.numpy)),
        *(_number(size / 2**20 if size else None) for size in (net.peak, net.torch_peak)),
        _link(net.place),
    )


def runs(folder: Path) -> str:
    """What the first line of README.md gives, and how long it takes."""
    newest = {(run.model, run.command): run for run in kept.runs(folder)}
    return "\n".join(_by_machine(RUNS, newest.values(), _run))


def _run(run: Run) -> tuple[object, ...]:
    return (
        f"`{run.model}`",
        f"{run.parameters:,}",
        f"{run.images:,} / {run.test_images:,}",
        f"`{run.command}`",
        f"{run.accuracy:.4f}",
        f"{run.seconds:.2g} s; {run.first_seconds:.2g} s the first time, when kernels are compiled",
        _link(run.place),
    )


TABLES: dict[str, Callable[[Path], str]] = {"nets": nets, "runs": runs}


def _by_machine(
    heads: Iterable[str], found: Iterable[Net | Run], line: Callable[..., tuple[object, ...]]
) -> list[str]:
    """A table for each machine, and beneath it what the machine is."""
    groups: dict[str, list[Net | Run]] = {}
    for one in found:
        groups.setdefault(one.place.machine, []).append(one)
    return [
        f"{table(heads, map(line, rows))}\n{machine}; {_versions(row.place for row in rows)}.\n"
        for machine, rows in groups.items()
    ]


def _versions(places: Iterable[Place]) -> str:
    """Every version of every package that figures were made with."""
    pairs = dict.fromkeys(pair for place in places for pair in place.versions.items())
    return ", ".join(f"{name} {version}" for name, version in pairs)


def _link(place: Place) -> str:
    return f"[{place.date[:10]}](benchmarks/results/{place.source})"


def _ratio(value: float | None) -> str:
    """Beside a peer: below 1 we are slower, and that is marked."""
    return "-" if value is None else f"{value:.2f}{' ▼' if round(value, 2) < 1 else ''}"


def _number(value: float | None) -> str:
    """Three digits, or all those before the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def written(page: str, folder: Path) -> str:
    """The page with every table anew; raises DataError where a marker names none."""

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise DataError(f"README.md: no table is named {name!r}; there are {', '.join(TABLES)}")
        return f"{BEGIN.format(name)}\n{TABLES[name](folder)}\n{END}"

    return MARKED.sub(anew, page)


def main() -> None:
    """Print the tables; with ``--write`` put them into README.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write README.md")
    page = README.read_text(encoding="utf-8")
    is_writing = parser.parse_args().write
    text = written(page, kept.FOLDER)
    if is_writing:
        README.write_text(text, encoding="utf-8")
    else:
        print("\n".join(found[2] for found in MARKED.finditer(text)))


if __name__ == "__main__":
    main()
