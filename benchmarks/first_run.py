"""The first line of README.md, timed: ``gpuconv train`` with an empty cache, and once more.

``python -m gpuconv.benchmarks.first_run --out benchmarks/results/first_run.json``
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gpuconv import models

from .cpu_vs_peers.machine import machine


def row(given: list[str]) -> dict[str, Any]:
    """Two runs of ``gpuconv train`` with these arguments: the figures of the second."""
    with tempfile.TemporaryDirectory() as folder:
        first, then = (_run(given, Path(folder), name) for name in ("first", "then"))
    final, name = then["final"], then["model"]["name"]
    return {
        "model": name,
        "parameters": sum(p.size for p in models.create(name).parameters()),
        "images": then["images"],
        "test_images": final["test_images"],
        "command": " ".join(["gpuconv", "train", *given]),
        "accuracy": final["test_accuracy"],
        "seconds": then["seconds"],
        "first_seconds": first["seconds"],
    }


def _run(given: list[str], folder: Path, name: str) -> dict[str, Any]:
    """What run.json says of a run in a process of its own; raises CalledProcessError."""
    command = [sys.executable, "-m", "gpuconv", "train", *given, "--out", str(folder / name)]
    environment = {**os.environ, "GPUCONV_CACHE": str(folder / "cache")}
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    return json.loads((folder / name / "run.json").read_text())


def main() -> None:
    """Train twice, write or print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("given", nargs="*", help="arguments of gpuconv train, after --")
    wanted = parser.parse_args()
    text = json.dumps({"machine": machine(), "runs": [row(wanted.given)]}, indent=1) + "\n"
    if wanted.out:
        wanted.out.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
