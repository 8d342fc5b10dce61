"""Ask pip's resolver, and nothing else, what the GPU extras would install on each Python.

Wheels for this platform (x86-64 Linux in CI); nothing is built or installed. Environment markers
are read as on the interpreter that runs this, versions and wheel tags as on the one asked for.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
EXTRAS = ("cuda12", "cuda13")
WANTED = ("cupy-", "numba-cuda", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime")
BULK = ("cublas", "cufft", "curand", "cusolver", "cusparse", "cudnn", "nccl")
PIP = Path(".scratch/pip").resolve()
NEW = "pip>=25"  # older ones download every wheel to ask for its metadata


def pip(*arguments: str) -> subprocess.CompletedProcess:
    """Run pip; the newer one once it is there."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    env = {**os.environ, "PYTHONPATH": str(PIP)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def resolve(python: str, extra: str) -> tuple[dict[str, str], str]:
    """Name and version of everything that would be installed, and pip's complaint if it fails."""
    alone = ["--dry-run", "--ignore-installed", "--no-build-isolation", "--target", str(PIP / "no")]
    tags = ["--only-binary=:all:", f"--python-version={python}"]
    done = pip("install", "--quiet", *alone, *tags, "--report=-", f".[{extra}]")
    if done.returncode:
        return {}, "\n".join(li for li in done.stderr.splitlines() if li.startswith("ERROR"))
    found = [entry["metadata"] for entry in json.loads(done.stdout)["install"]]
    return {entry["name"].lower(): entry["version"] for entry in found}, ""


def faults(found: dict[str, str]) -> list[str]:
    """What is missing, twice there, or bulk that nobody asked for."""
    several = {part: [name for name in found if name.startswith(part)] for part in WANTED}
    wrong = [f"{len(names)} of {part}*" for part, names in several.items() if len(names) != 1]
    return wrong + [name for name in found if any(part in name for part in BULK)]


def verdict(pair: tuple[str, str]) -> tuple[bool, str]:
    """Whether one combination holds, and the line that says so."""
    found, complaint = resolve(*pair)
    wrong = faults(found) if found else [complaint]
    told = [f"{n} {v}" for n, v in sorted(found.items()) if n.startswith((*WANTED, "numpy"))]
    what = f"WRONG: {'; '.join(wrong)}" if wrong else f"{len(found)} packages"
    return not wrong, f"Python {pair[0]} gpuconv[{pair[1]}]: {what}: {', '.join(told)}"


def main() -> int:
    """Every combination; then both extras at once, which pip must refuse."""
    if not (PIP / "pip").is_dir():
        pip("install", "--quiet", f"--target={PIP}", NEW)
    pairs = [(python, extra) for python in PYTHONS for extra in EXTRAS]
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(verdict, pairs))
    both, complaint = resolve(PYTHONS[-1], ",".join(EXTRAS))
    refused = not both and "conflicting" in complaint
    told.append((refused, f"both at once: {complaint or 'WRONG: pip takes them'}"))
    print(*(line for _, line in told), sep="\n")
    return 0 if all(good for good, _ in told) else 1


if __name__ == "__main__":
    sys.exit(main())
