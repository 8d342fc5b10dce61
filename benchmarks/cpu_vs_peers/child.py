"""A rival in a process of its own: for one whose threads would spin in ours, and to see its memory.

The parent writes how many runs it wants and reads the seconds of one; at the end of its input the
child prints the most memory that it ever held.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from ..measure import Clocked, in_a_row
from ..process import Process
from . import nets
from .nets import Call, Work
from .torch_net import translate

ORT = "onnxruntime"
LINUX = sys.platform == "linux"


class Child(Process):
    """A process that runs one rival's work when it is told to."""

    def __init__(self, rival: str, work: Work, threads: int) -> None:
        super().__init__(__name__, rival, str(threads), json.dumps(asdict(work)))

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


def set_threads(count: int) -> None:
    """Let every library of this process use this many threads."""
    from gpuconv import cpu

    cpu.set_num_threads(count)
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


def _forget_peak() -> None:
    """Let Linux count the most memory held anew: importing a library takes more than it keeps."""
    Path("/proc/self/clear_refs").write_text("5")


def _held(field: str) -> int:
    """Bytes that Linux notes as held by this process: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def main(rival: str, threads: str, work: str) -> None:
    """What the child does: nothing but what the parent asks for goes to its standard output."""
    answers, sys.stdout = sys.stdout, sys.stderr
    set_threads(int(threads))
    if LINUX:
        _forget_peak()
    before = _held("VmRSS") if LINUX else 0
    step = call(rival, Work(**json.loads(work)))
    for count in sys.stdin:
        print(in_a_row(step, int(count)), file=answers, flush=True)
    print(_held("VmHWM") - before if LINUX else -1, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
