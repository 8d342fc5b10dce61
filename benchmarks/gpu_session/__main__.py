"""Everything that a GPU can tell about the kernels, within the minutes that there are.

``python -m gpuconv.benchmarks.gpu_session --out DIR --minutes 9`` runs the environment, ceilings,
the battery, the tests, compute-sanitizer, determinism, timing against cuDNN and training steps,
and writes a row for each as it goes. ``--resume DIR`` goes on where another call stopped.
``--device emulated`` rehearses it without a GPU.
"""

import argparse
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
from .worker import AGAIN, late, work

RESERVE = 10.0  # seconds for the item that is running when time is up, and the report
POLL = 0.5


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m gpuconv.benchmarks.gpu_session", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="stop after so many (default 9)")
    parser.add_argument("--resume", type=Path, help="folder of an earlier call to go on from")
    parser.add_argument("--device", default="cuda", choices=["cuda", "emulated"])
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Run a session; returns its exit code: 1 where a row holds an error, 2 without the device."""
    wanted = arguments(given)
    begin = time.time()
    try:
        session = _session(wanted)
    except GpuconvError as error:
        print(error, file=sys.stderr)
        return 2
    if wanted.worker is not None:
        return work(session, wanted.worker)
    deadline = max(begin, begin + 60 * wanted.minutes - RESERVE)
    code = AGAIN
    while code == AGAIN:
        code = _supervised(session, wanted, deadline)
    rows = progress.read(session.rows)
    text = report.text(session, rows)
    session.file("-summary.md").write_text(text)
    print(text)
    return 1 if code or any("error" in row for row in rows.values()) else 0


def _session(wanted: argparse.Namespace) -> Session:
    here = devices.get(wanted.device)
    wanted.out.mkdir(parents=True, exist_ok=True)
    session = Session(here, wanted.out, stem(here))
    if wanted.resume and not session.rows.exists():
        for path in sorted(wanted.resume.glob(f"{session.stem}*")):
            shutil.copyfile(path, wanted.out / path.name)
    return session


def _supervised(session: Session, wanted: argparse.Namespace, deadline: float) -> int:
    """Run a worker; AGAIN where an item took it down, or took longer than it may."""
    command = [sys.executable, "-m", "gpuconv.benchmarks.gpu_session", "--out", str(session.out)]
    command += ["--device", wanted.device, "--worker", str(deadline)]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None:
        time.sleep(POLL)
        stuck = _begun(session)
        if stuck and time.time() > stuck["begun"] + stuck["limit"]:
            _kill(process)
            _give_up(session, f"took longer than {stuck['limit']:.0f} s")
            return AGAIN
        if time.time() > deadline + RESERVE:
            _kill(process)
            late(session)
            return 0
    if _begun(session):
        _give_up(session, f"the process ended with {process.returncode}")
        return AGAIN
    return process.returncode


def _begun(session: Session) -> dict | None:
    rows = progress.read(session.rows).values()
    return next((row for row in rows if progress.state(row) == "begun"), None)


def _give_up(session: Session, error: str) -> None:
    row = _begun(session)
    if row:
        progress.append(session.rows, step=row["step"], key=row["key"], error=error)


def _kill(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
