"""A rival of whole nets in a process of its own: its threads would spin in ours, its memory show.

The parent writes how many runs it wants and reads the seconds of one, or "answer" and reads what
comes out; at the end of its input the child says how much memory it held at most.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..measure import Clocked, in_a_row
from ..process import Process
from . import nets
from .nets import Call, Work
from .torch_net import translate

ORT = "onnxruntime"
STEPS = 2  # of training: the second one's loss depends on the first one's gradients
LINUX = sys.platform == "linux"


class Child(Process):
    """A process that runs one rival's work when it is told to."""

    def __init__(self, rival: str, work: Work, threads: int) -> None:
        given = rival, str(threads), json.dumps(asdict(work))
        super().__init__(__name__, *given, OPENBLAS_NUM_THREADS=str(threads))

    @cached_property
    def answer(self) -> dict[str, Any]:
        """{"answer": numbers}: losses of some training steps, or a prediction; or {"reason": why}.

        Raises RuntimeError if the process has ended.
        """
        return json.loads(self.ask("answer\n"))

    def run(self, count: int = 1) -> float:
        """Seconds of a run, the mean of ``count``; raises RuntimeError if the process has ended."""
        return float(self.ask(f"{count}\n"))

    @property
    def rival(self) -> Clocked:
        """For the harness."""
        return Clocked(self.run)

    def peak(self) -> int | None:
        """End the process; the bytes that it held at most beyond an idle one's (Linux only)."""
        held = int(self.ask(""))
        self.close()
        return held if held >= 0 else None


def call(rival: str, work: Work) -> Call:
    """The work as this rival does it; raises ModuleNotFoundError where its package is missing."""
    if rival == nets.OURS:
        return nets.ours(work)
    if rival == nets.BASELINE:
        return nets.baseline(work)
    if rival == ORT:
        return _onnxruntime(work)
    return nets.torch_step(work, channels_last=nets.TORCH[rival])


def set_threads(count: int, *, torch: bool = True) -> None:
    """Let every library of this process use this many threads; PyTorch, too, if it takes part."""
    from gpuconv import cpu

    cpu.set_num_threads(count)
    if torch:
        _set_torch_threads(count)


def _set_torch_threads(count: int) -> None:
    try:
        import torch
    except ModuleNotFoundError:
        return
    torch.set_num_threads(count)


def _onnxruntime(work: Work) -> Call:
    import onnxruntime as ort
    import torch

    from gpuconv import models

    net = translate(models.create(work.net, dropout=0), channels_last=False).eval()
    images, _ = work.data()
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        torch.onnx.export(net, (torch.from_numpy(images),), path, verbose=False)
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: images})[0]


def _load(rival: str) -> None:
    """Import what the rival computes with: an idle process has that, and nobody's work is in it."""
    packages = {nets.OURS: "numba", nets.BASELINE: "numba", ORT: "onnxruntime"}
    if rival in packages:
        import_module(packages[rival])


def _forget_peak() -> None:
    """Let Linux count the most memory held anew: importing a library takes more than it keeps."""
    Path("/proc/self/clear_refs").write_text("5")


def _held(field: str) -> int:
    """Bytes that Linux notes as held by this process: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def _answer(rival: str, work: Work, step: Callable[[str, Work], Call]) -> dict[str, Any]:
    """What the rival computes, or why it does not: whatever it raises is a row."""
    try:
        run = step(rival, work)
        if work.is_training:
            return {"answer": [float(run()) for _ in range(STEPS)]}
        return {"answer": np.asarray(run(), np.float64).reshape(-1).tolist()}
    except Exception as error:
        return {"reason": f"{type(error).__name__}: {error}"}


def main(rival: str, threads: str, work: str) -> None:
    """What the child does: nothing but what the parent asks for goes to its standard output."""
    answers, sys.stdout = sys.stdout, sys.stderr
    set_threads(int(threads))
    _load(rival)
    if LINUX:
        _forget_peak()
    before = _held("VmRSS") if LINUX else 0
    given, step = Work(**json.loads(work)), cache(call)
    for line in sys.stdin:
        if line.strip() == "answer":
            print(json.dumps(_answer(rival, given, step)), file=answers, flush=True)
        else:
            print(in_a_row(step(rival, given), int(line)), file=answers, flush=True)
    print(_held("VmHWM") - before if LINUX else -1, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
