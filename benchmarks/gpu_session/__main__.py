"""Everything that a GPU can tell about the kernels, within the minutes that there are.

``python -m gpuconv.benchmarks.gpu_session --out DIR --minutes 9`` runs the environment, ceilings,
the battery, the tests, compute-sanitizer, determinism, timing against cuDNN and training steps,
and writes a row for each as it goes. ``--resume DIR`` goes on where another call stopped.
``--device emulated`` rehearses it without a GPU.
"""

import argparse
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from gpuconv import device as devices
from gpuconv.errors import GpuconvError

from . import progress, report
from .items import Session
from .machine import stem
from .worker import AGAIN, end_with, late, work

RESERVE = 10.0  # seconds for the item that is running when time is up, and the report
POLL = 0.5


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gpuconv.benchmarks.gpu_session", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--minutes", type=_minutes, default=9.0, help="stop after so many (default 9)"
    )
    parser.add_argument("--resume", type=Path, help="folder of an earlier call to go on from")
    parser.add_argument("--device", default="cuda", choices=["cuda", "emulated"])
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(f"{text} is no length of time")
    return value


def main(given: list[str] | None = None) -> int:
    """Run a session; returns its exit code: 1 where a row holds an error, 2 without the device."""
    wanted = arguments(given)
    begin = time.time()
    try:
        session = _session(wanted)
        if wanted.worker is not None:
            end_with(wanted.parent)
            return work(session, wanted.worker, _length(wanted))
        with progress.locked(session.rows):
            return _whole(session, wanted, begin)
    except (GpuconvError, OSError) as error:  # no such device; a folder that cannot be written
        print(f"gpu_session: {error}", file=sys.stderr)
        return 2


def _length(wanted: argparse.Namespace) -> float:
    return max(0.0, 60 * wanted.minutes - RESERVE)


def _whole(session: Session, wanted: argparse.Namespace, begin: float) -> int:
    """Worker after worker until all is done or the time is up, then the summary."""
    progress.settle(session.rows)
    code = AGAIN
    while code == AGAIN:
        code = _supervised(session, wanted, begin + _length(wanted))
    rows = progress.read(session.rows)
    text = report.text(session, rows)
    print(text)
    session.file("-summary.md").write_text(text)
    return 1 if code or any("error" in row for row in rows.values()) else 0


def _session(wanted: argparse.Namespace) -> Session:
    here = devices.get(wanted.device)
    wanted.out.mkdir(parents=True, exist_ok=True)
    session = Session(here, wanted.out, stem(here))
    if wanted.resume and not session.rows.exists():
        _take_over(session, wanted.resume)
    return session


def _take_over(session: Session, earlier: Path) -> None:
    """Copy what a session on the same kind of GPU left; raises GpuconvError where none has."""
    left = sorted(path.name for path in earlier.glob("*.jsonl"))
    if not left:
        raise GpuconvError(f"--resume {earlier}: no session has left a file of rows there")
    if session.rows.name not in left:
        print(f"--resume {earlier}: {', '.join(left)} and no {session.rows.name}: from the start")
    for path in session.files:
        if (earlier / path.name).exists():
            shutil.copyfile(earlier / path.name, path)


def _supervised(session: Session, wanted: argparse.Namespace, deadline: float) -> int:
    """Run a worker; AGAIN where an item took it down, or took longer than it may."""
    command = [sys.executable, "-m", "gpuconv.benchmarks.gpu_session", "--out", str(session.out)]
    command += ["--device", wanted.device, "--minutes", str(wanted.minutes)]
    command += ["--worker", str(deadline), "--parent", str(os.getpid())]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None:
        time.sleep(POLL)
        stuck = _begun(session, process)
        if stuck and time.time() > stuck["begun"] + stuck["limit"]:
            _kill(process)
            _give_up(session, process, f"took longer than {stuck['limit']:.0f} s")
            return AGAIN
        if time.time() > deadline + RESERVE:
            _kill(process)
            late(session)
            return 0
    if _begun(session, process):
        _give_up(session, process, f"the process ended with {process.returncode}")
        return AGAIN
    return process.returncode


def _begun(session: Session, process: subprocess.Popen) -> dict | None:
    """What this process is at; rows of earlier ones are none of its business."""
    rows = [r for r in progress.read(session.rows).values() if r.get("process") == process.pid]
    return next((row for row in rows if progress.state(row) == "begun"), None)


def _give_up(session: Session, process: subprocess.Popen, error: str) -> None:
    row = _begun(session, process)
    if row:
        progress.append(session.rows, step=row["step"], key=row["key"], error=error)


def _kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
