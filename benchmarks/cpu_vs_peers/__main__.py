"""The CPU path against PyTorch and onnxruntime: whole nets, and their layers pass by pass.

``python -m gpuconv.benchmarks.cpu_vs_peers`` times rivals in turn, on the same values and as many
threads, and prints tables; ``--out FILE.json`` keeps every figure. PyTorch and onnxruntime take
part where they are installed (``pip install torch onnx onnxscript onnxruntime``); NumPy's kernels
always do. PyTorch takes part in both memory formats, and ratios are to the better one.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpuconv import cpu
from gpuconv.cpu.threads import cores

from . import child, layers, machine, nets, report, whole
from .ceilings import Ceilings, ceilings

BLAS = "OPENBLAS_NUM_THREADS"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gpuconv.benchmarks.cpu_vs_peers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    known = sorted({work.net for work in nets.WORK})
    parser.add_argument("--nets", nargs="+", choices=known, default=known, metavar="NET",
                        help=f"nets to time, of {', '.join(known)} (default: all)")  # fmt: skip
    parser.add_argument("--only", choices=["nets", "layers"], help="one of the two tables")
    parser.add_argument("--threads", type=int, default=cores(), help="for every rival alike")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each line of nets")
    parser.add_argument("--rounds", type=int, default=20, help="at most, for each line")
    parser.add_argument("--out", type=Path, help="JSON file for all figures, written as they come")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Time, print, keep."""
    wanted = arguments(given)
    _own_threads(wanted.threads)
    child.set_threads(wanted.threads)
    roof = ceilings()
    result: dict[str, Any] = {"machine": machine.machine(), "ceilings": vars(roof)}
    print(_heading(roof), flush=True)
    for part, rows in _parts(wanted, roof):
        result[part] = []
        for row in rows:
            result[part].append(row)
            print(f"  {row.get('work', row.get('layer'))}", file=sys.stderr, flush=True)
            if wanted.out:
                wanted.out.write_text(json.dumps(result, indent=1) + "\n")
        print(getattr(report, part)(result[part]), flush=True)


def _own_threads(count: int) -> None:
    """Begin again with so many threads for NumPy's BLAS, which reads them once."""
    if os.environ.get(BLAS) != str(count):
        os.environ[BLAS] = str(count)
        os.execv(sys.executable, [sys.executable, "-m", __package__, *sys.argv[1:]])


def _heading(roof: Ceilings) -> str:
    here = machine.machine()
    versions = ", ".join(f"{name} {found}" for name, found in here["versions"].items())
    return (
        f"{here['cpu']}, {here['simd']}, {cpu.get_num_threads()} threads; {versions}; "
        f"{here['date']}\nCeilings: {roof.flops / 1e9:.0f} GFLOP/s, "
        f"{roof.bandwidth / 1e9:.1f} GB/s copied (read plus written)\n"
    )


def _parts(wanted: argparse.Namespace, roof: Ceilings) -> Iterator[tuple[str, Any]]:
    works = [work for work in nets.WORK if work.net in wanted.nets]
    limits = {"seconds": wanted.seconds, "rounds": wanted.rounds}
    if wanted.only != "layers":
        yield "nets", (whole.row(work, wanted.threads, roof, **limits) for work in works)
    if wanted.only != "nets":
        trained = [work for work in works if work.is_training]
        yield "layers", layers.rows(trained, rounds=wanted.rounds)


if __name__ == "__main__":
    main()
