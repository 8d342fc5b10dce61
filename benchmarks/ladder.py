"""The convolution kernels side by side: what each asks of memory, and of a multiprocessor.

``python -m gpuconv.benchmarks.ladder`` runs every CUDA kernel of conv2d and of its gradients on two
fixed problems on the emulated GPU and prints two tables; ``--write`` puts them into docs/ladder.md,
between its markers. What a compiled kernel needs is benchmarks/static.json's.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gpuconv import registry
from gpuconv.cuda.recording import Launch
from gpuconv.device import EMULATED
from gpuconv.emulator import Statistics
from gpuconv.errors import OptionError
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.limits import current_limits
from gpuconv.registry import Kernel, Op

from . import static
from .static_rows import count, launches, needs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ladder.md"
MARKERS = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
OPS = ("conv2d", "conv2d_input", "conv2d_weight")
SAME = ((1, 1), (1, 1))
PROBLEMS = {
    "An image of 16 x 16 x 16, 64 filters 3 x 3, padding 1": Conv2dProblem(
        1, 16, 16, 16, 64, 3, 3, padding=SAME
    ),
    "The same with stride 2": Conv2dProblem(1, 16, 16, 16, 64, 3, 3, (2, 2), SAME),
    "An image of 4 x 28 x 28, a filter 3 x 3 for each channel, padding 1": Conv2dProblem(
        1, 4, 28, 28, 4, 3, 3, padding=SAME, groups=4
    ),
}
LANES = 32  # threads of a warp
ARCH = "sm_90a"


@dataclass(frozen=True)
class Row:
    """One kernel on one problem, and its launches."""

    op: Op
    kernel: Kernel
    problem: Conv2dProblem
    launches: tuple[Launch, ...]

    @cached_property
    def counts(self) -> tuple[Statistics, ...]:
        """What each launch did to memory; runs them."""
        counts = (count(launch) for launch in self.launches)
        return tuple(c for c in counts if c is not None)

    def total(self, space: str, figure: str) -> int:
        """The sum of a LineStatistics field over the accesses to "global" or "shared" memory."""
        lines = (line for counts in self.counts for line in counts.lines)
        return sum(getattr(line, figure) for line in lines if line.space == space)


def rows(problem: Conv2dProblem) -> Iterator[Row]:
    """A row for every CUDA kernel of the three ops that takes the problem, variants aside."""
    for op in map(registry.get_op, OPS):
        for kernel in sorted(op.kernels(), key=lambda kernel: -kernel.rank):
            taken = kernel.objection(problem, EMULATED, current_limits()) is None
            if kernel.backend == "cuda" and taken and not kernel.variant_of:
                yield Row(op, kernel, problem, tuple(launches(op, kernel, problem)))


# ---- the page -------------------------------------------------------------------------------

HEADS = (
    "kernel",
    *("launches", "blocks", "barriers", "global requests", "sectors each", "shared requests"),
    *("passes each", "products a request", "on a GPU"),
)
STATIC_HEADS = (
    "kernel",
    *("entry", "registers", "spilled bytes", "shared bytes", "blocks at a time"),
    *("main loop: instructions", "of them arithmetic"),
)


def table(heads: Iterable[str], lines: Iterable[Iterable[object]], texts: int = 1) -> str:
    """A Markdown table; all columns but the first ``texts`` are set to the right."""
    heads = list(heads)
    rules = ["---" if i < texts else "--:" for i in range(len(heads))]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (heads, rules, *lines))


def _link(kernel: Kernel, launch: Launch) -> str:
    path = launch.function.source.path
    return f"[{kernel.algorithm}](../kernels/{path.parent.name}/{path.name})"


def _statistics(row: Row) -> list[str]:
    """A line of the first table; requests are a warp's, in thousands."""
    requests = {space: row.total(space, "requests") for space in ("global", "shared")}
    each = {s: row.total(s, "transactions") / n if n else None for s, n in requests.items()}
    products = row.op.flops(row.problem) / 2 / LANES / sum(requests.values())
    return [
        _link(row.kernel, row.launches[0]),
        str(len(row.launches)),
        str(sum(c.blocks for c in row.counts)),
        str(sum(c.barriers for c in row.counts)),
        *(_thousands(requests["global"]), _figure(each["global"])),
        *(_thousands(requests["shared"]), _figure(each["shared"])),
        f"{products:.2g}",
        "not yet run",
    ]


def _thousands(count: int) -> str:
    return f"{count / 1e3:.1f}" if count else "none"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def statistics_tables(title: str, found: list[Row]) -> str:
    """A problem's tables, one for each op."""
    text = f"### {title}\n\n"
    for name in OPS:
        lines = [_statistics(row) for row in found if row.op.name == name]
        text += f"`{name}`\n\n{table(HEADS, lines)}\n"
    return text


def static_table(made: Iterable[Row]) -> str:
    """What every entry that was launched needs, with the most shared memory it was given."""
    entries: dict[tuple[str, str], Launch] = {}
    for row in made:
        for launch in row.launches:
            key = _link(row.kernel, launch), launch.function.entry
            if key not in entries or entries[key].shared_mem < launch.shared_mem:
                entries[key] = launch
    stored = static.stored()
    lines = [[*key, *_needs(launch, stored)] for key, launch in entries.items()]
    return table(STATIC_HEADS, lines, texts=2)


def _needs(launch: Launch, stored: dict[str, Any]) -> list[object]:
    function = launch.function
    build = static.Build(function.source.path, tuple(sorted(function.macros.items())))
    figures = stored.get(f"{build.name} {function.entry}")
    if figures is None:
        raise OptionError(
            f"ladder: benchmarks/static.json has no row for {build.name} {function.entry}; "
            "run python -m gpuconv.benchmarks.static --write first"
        )
    taken = needs(launch, stored)[ARCH]
    loop = figures["loop"] or {"instructions": "", "math": ""}
    held = [taken.registers, taken.spilled, taken.shared, taken.blocks]
    return [*held, loop["instructions"], loop["math"]]


def tables() -> str:
    """Everything between the page's markers."""
    made = {title: list(rows(problem)) for title, problem in PROBLEMS.items()}
    text = "".join(statistics_tables(title, found) for title, found in made.items())
    every = static_table(row for found in made.values() for row in found)
    return f"\n{text}### What {ARCH} makes of them\n\n{every}\n"


def shown() -> str:
    """The tables in docs/ladder.md."""
    return PAGE.read_text(encoding="utf-8").split(MARKERS[0])[1].split(MARKERS[1])[0]


def main() -> None:
    """Print the tables; with ``--write`` put them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/ladder.md")
    wanted, text = parser.parse_args(), tables()
    print(text)
    if wanted.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(page.replace(MARKERS[0] + shown(), MARKERS[0] + text), encoding="utf-8")


if __name__ == "__main__":
    main()
