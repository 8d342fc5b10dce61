"""PyTorch and onnxruntime on a CPU, cuDNN on a GPU: processes that are asked for one op at a time.

The child draws the same values as the parent, computes once, saves what came out, and then runs and
counts seconds whenever it is told to.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv import registry
from gpuconv.device import CPU, Device
from gpuconv.errors import OptionError
from gpuconv.problem import Problem

from . import figures, onnx_ops, peers
from .cases import Case, unknown
from .contest import PEERS_ERROR, Contestant, Refused
from .measure import Clocked, Rival, seconds_of
from .process import Process
from .values import values

CUDNN = "cudnn"  # through PyTorch, on a GPU
PACKAGES = {"torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx"), CUDNN: ("torch",)}
NUMPY = "numpy"  # a peer whose kernels are in the registry
FORMATS = {
    "torch": ("NCHW", "NHWC"), "onnxruntime": ("",),
    CUDNN: ("fp32 NCHW", "fp32 NHWC", "tf32 NCHW", "tf32 NHWC"),
}  # fmt: skip


def default(device: Device) -> list[str]:
    """Who is asked where nobody is named: CPU peers never stand beside GPU kernels."""
    return [CUDNN] if device.kind == "cuda" else [NUMPY, *(n for n in PACKAGES if n != CUDNN)]


def absent(library: str, device: Device) -> Refused | None:
    """Why a library cannot take part on this device, or None."""
    on_gpu = device.kind == "cuda"
    if (library == CUDNN) != on_gpu:
        reason = (
            "computes on the CPU; beside GPU kernels stands --against cudnn"
            if on_gpu
            else "no GPU here; it is timed with --device cuda"
        )
        return Refused(figures.REFUSED if on_gpu else figures.NO_GPU, reason)
    lacking = next((p for p in PACKAGES[library] if not find_spec(p)), None)
    if lacking is not None:
        return Refused(figures.ABSENT, f"the package {lacking}")
    unusable = peers.missing() if on_gpu else None
    return Refused(figures.ABSENT, unusable) if unusable else None


def known_peers(names: list[str]) -> list[str]:
    """The names, checked; raises OptionError that lists what there is."""
    for name in names:
        if name not in (NUMPY, *PACKAGES):
            raise OptionError(unknown("peer", name, (NUMPY, *PACKAGES)))
    return names


@dataclass(frozen=True)
class Guest:
    """One way of a library to do an op; ``process`` is None where it cannot, for ``why``."""

    library: str
    way: str
    process: Process | None
    folder: Path
    why: Refused | None = None
    is_peer = True
    allowed = PEERS_ERROR

    @property
    def name(self) -> str:
        """The library, and the memory format where it has more than one."""
        return f"{self.library} {self.way}".strip()

    def prepare(self, case: Case, arrays: list[np.ndarray]) -> tuple[list[Any], Rival, int | None]:
        """Let the child compute once, and read what it saved."""
        if self.process is None:
            raise self.why or Refused(figures.ABSENT, self.library)
        path = self.folder / f"{self.library}{self.way}.npz"
        wanted = {"op": case.op, "problem": asdict(case.problem), "way": self.way}
        answer = json.loads(self.process.ask(json.dumps({**wanted, "out": str(path)}) + "\n"))
        if "reason" in answer:
            raise Refused(answer["state"], answer["reason"])
        with np.load(path) as saved:
            outs = [saved[name] for name in saved.files]
        path.unlink()
        process, way = self.process, self.way
        run = Clocked(lambda count: float(process.ask(json.dumps([way, count]) + "\n")))
        return outs, run, None


@contextmanager
def guests(libraries: list[str], threads: int, device: Device = CPU) -> Iterator[list[Contestant]]:
    """Each library's ways, its process started; ended at the end."""
    started: list[Process] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            found: list[Contestant] = []
            for library in libraries:
                why = absent(library, device)
                process = None if why else Process(__name__, library, str(threads))
                started += [process] if process else []
                ways = ("",) if why else FORMATS[library]
                found += [Guest(library, way, process, Path(folder), why) for way in ways]
            yield found
        finally:
            for process in started:
                process.close()


def invited(found: list[Contestant], op: str) -> list[Contestant]:
    """Those whose way makes a difference to the op: one row will do where none does."""
    formats = {"NHWC" if peer.channels_last else "NCHW" for peer in peers.peers(op)} or {"NCHW"}
    precise = {f"{peer.precision} {form}" for peer in peers.peers(op) for form in formats}
    differ = {*formats, *(precise or {"fp32 NCHW"}), ""}
    return [g for g in found if not isinstance(g, Guest) or g.way in differ]


# ---- the child ------------------------------------------------------------------------------


def _problem(op: str, given: dict[str, Any]) -> Problem:
    kind = registry.get_op(op).problem
    return kind(**{f.name: _tuples(given[f.name]) for f in fields(kind)})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _made(library: str, threads: int, op: str, problem: Problem, way: str) -> tuple[Any, Rival]:
    """A call that gives the op's outs, and what is timed."""
    arrays: list[Any] = list(values(registry.get_op(op), problem))
    if library == "onnxruntime":
        call = onnx_ops.call(op, problem, arrays, threads)
        return call, call
    import torch

    torch.set_num_threads(threads)
    if reason := peers.refuses(op, problem):
        raise Refused(figures.REFUSED, reason)
    if library == CUDNN:
        precision, form = way.split()
        return peers.on_gpu(peers.Peer(precision, form == "NHWC"), op, problem, arrays)
    call = peers.call(peers.Peer("fp32", way == "NHWC"), op, problem, arrays)
    return call, call


def _prepared(library: str, threads: int, wanted: dict[str, Any]) -> Rival:
    """What is timed, its call once run, and the outs saved as they are in NCHW."""
    problem = _problem(wanted["op"], wanted["problem"])
    call, rival = _made(library, threads, wanted["op"], problem, wanted["way"])
    outs = call()
    several = outs if isinstance(outs, tuple | list) else (outs,)
    np.savez(
        wanted["out"], *(o if isinstance(o, np.ndarray) else peers.to_array(o) for o in several)
    )
    return rival


def main(library: str, threads: str) -> None:
    """What the child does: an object prepares a call, [way, count] runs it so many times."""
    answers, sys.stdout = sys.stdout, sys.stderr
    calls: dict[str, Rival] = {}
    for line in sys.stdin:
        wanted = json.loads(line)
        if isinstance(wanted, list):
            way, count = wanted
            print(seconds_of(calls[way], count), file=answers, flush=True)
            continue
        answer = {}
        try:
            calls.pop(wanted["way"], None)
            calls[wanted["way"]] = _prepared(library, int(threads), wanted)
        except Refused as refused:
            answer = {"state": refused.state, "reason": str(refused)}
        except Exception as error:  # whatever a library raises is a row, not an end
            answer = {"state": figures.FAILED, "reason": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
