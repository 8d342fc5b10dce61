"""What every CUDA kernel needs on every GPU architecture, compiled without a GPU.

``python -m gpuconv.benchmarks.static`` compiles all of them with NVRTC and prints what changed
against benchmarks/static.json; ``--write`` writes that table anew. tests/test_static.py holds the
sources to it.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from gpuconv import battery, cuda, device, registry
from gpuconv.cuda import archs as architectures
from gpuconv.cuda.compile import compile_cubin, resources
from gpuconv.cuda.occupancy import ARCHS, blocks_per_sm
from gpuconv.cuda.recording import Launch, recording
from gpuconv.cuda.sass import main_loops
from gpuconv.limits import current_limits
from gpuconv.problem import Problem

TABLE = Path(__file__).with_name("static.json")
COLUMNS = ("registers", "spilled bytes", "static shared bytes", "blocks on a multiprocessor")
LOOP_ARCH = "sm_90a"  # the architecture whose machine code is looked at
Macros = tuple[tuple[str, str], ...]


@dataclass
class Build:
    """A source with one set of macros: compiled once for each architecture."""

    path: Path
    macros: Macros
    threads: dict[str, int] = field(default_factory=dict)  # of a block, by entry
    dynamic: dict[str, int] = field(default_factory=dict)  # shared bytes of a block, at most
    archs: set[tuple[str, ...]] = field(default_factory=set)  # what each of its kernels declares
    variant: bool = True  # none of its kernels is an algorithm's first

    @property
    def name(self) -> str:
        """Family and file, and the macros."""
        macros = " ".join(f"{key}={value}" for key, value in self.macros)
        return f"{self.path.parent.name}/{self.path.name} {macros}"

    def lacks(self, arch: str) -> str | None:
        """What all of its kernels need and ``arch`` is not, or None where one of them runs."""
        reasons = [architectures.lacks(archs, arch) for archs in sorted(self.archs)]
        return None if None in reasons else next(iter(reasons), None)

    def note(self, launch: Launch, kernel: registry.Kernel) -> None:
        """Remember the largest block that an entry was launched with, and for which GPUs."""
        self.archs.add(kernel.archs)
        self.variant = self.variant and bool(kernel.variant_of)
        entry, threads = launch.function.entry, launch.block[0]
        self.threads[entry] = max(threads, self.threads.get(entry, 0))
        self.dynamic[entry] = max(launch.shared_mem, self.dynamic.get(entry, 0))


def builds() -> list[Build]:
    """Every build that the kernels ask for over all cases of their ops, in 32 and 64-bit indices.

    The launches are recorded, not run.
    """
    found: dict[tuple[Path, Macros], Build] = {}
    for kernel, launch in _launches():
        function = launch.function
        for index in ("int", "long long"):
            macros = tuple(sorted({**function.macros, "INDEX": index}.items()))
            key = function.source.path, macros
            found.setdefault(key, Build(*key)).note(launch, kernel)
    return sorted(found.values(), key=lambda build: build.name)


def _launches() -> Iterable[tuple[registry.Kernel, Launch]]:
    for op in registry.ops().values():
        for kernel in op.kernels():
            if kernel.backend == "cuda":
                yield from ((kernel, launch) for launch in _launches_of(op, kernel))


def _launches_of(op: registry.Op, kernel: registry.Kernel) -> list[Launch]:
    here = device.EMULATED
    with recording() as launches:
        for problem, given in product(battery.cases(op), battery.variants(op)):
            if kernel.objection(problem, here, current_limits()) is not None:
                continue
            made = {n: _array(problem, n, given) for n in (*op.ins, *op.outs)}
            size = kernel.workspace(problem, here)
            work = device.empty((size,), "uint8", here) if size else None
            kernel.run(
                tuple(made[n] for n in op.outs), tuple(made[n] for n in op.ins), problem, work
            )
    return launches


def _array(problem: Problem, name: str, given: bool) -> Any:
    if name.endswith("?") and not given:
        return None
    return device.empty(*problem.spec(name.rstrip("?")), device.EMULATED)


def rows(build: Build, archs: Iterable[str] = ARCHS) -> dict[str, dict[str, Any]]:
    """The table's rows of one build: for every entry its main loop, and COLUMNS for each arch.

    Instead of the figures it says "needs sm_80 or newer" where no kernel of it is for that arch.
    """
    source = cuda.Source(build.path)
    made: dict[str, dict[str, Any]] = {entry: {} for entry in source.entries}
    for arch in archs:
        if reason := build.lacks(arch):
            made = {entry: {**row, arch: reason} for entry, row in made.items()}
            continue
        cubin, log = compile_cubin(source, dict(build.macros), arch)
        for entry, used in resources(log).items():
            made[entry][arch] = _figures(build, entry, arch, used)
        if arch == LOOP_ARCH:
            for entry, loop in main_loops(cubin).items():
                made[entry]["loop"] = loop and {
                    "instructions": loop.instructions,
                    "math": loop.math,
                    **loop.loads,
                }
    return {f"{build.name} {entry}": row for entry, row in made.items()}


def _figures(build: Build, entry: str, arch: str, used: dict[str, int]) -> list[int]:
    registers, static = used["registers"], used["shared_bytes"]
    shared = static + build.dynamic.get(entry, 0)
    held = blocks_per_sm(arch, build.threads.get(entry, cuda.BLOCK), registers, shared)
    return [registers, used["spill_bytes"], static, held]


def table() -> dict[str, dict[str, Any]]:
    """Every row, compiled now, in as many processes as there are processors."""
    with ProcessPoolExecutor() as pool:
        return {name: row for part in pool.map(rows, builds()) for name, row in part.items()}


def stored() -> dict[str, dict[str, Any]]:
    """The rows of the checked-in table."""
    return json.loads(TABLE.read_text())["rows"] if TABLE.exists() else {}


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line for each figure that is not the same; both hold rows by name."""
    found = [f"{name}: has no row" for name in new if name not in old]
    found += [f"{name}: is not compiled any more" for name in old if name not in new]
    for name in new.keys() & old.keys():
        was, now = old[name], new[name]
        found += [
            f"{name} {key}: {was.get(key)} -> {now[key]}" for key in now if was.get(key) != now[key]
        ]
    return sorted(found)


def write(made: dict[str, dict[str, Any]]) -> None:
    """Write the table, a line for each row so that a diff reads."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in made.items())
    columns = json.dumps(COLUMNS)
    TABLE.write_text(f'{{"columns": {columns},\n"rows": {{\n{lines}\n}}}}\n')


def main() -> None:
    """Compile everything; print the differences; with ``--write`` make them the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write benchmarks/static.json")
    wanted = parser.parse_args()
    made = table()
    changed = differences(stored(), made)
    print("\n".join(changed) or f"{len(made)} rows, none changed")
    if wanted.write:
        write(made)
    elif changed:
        sys.exit(1)


if __name__ == "__main__":
    main()
