"""The table of whole nets: seconds, ratios, losses, memory."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from gpuconv import models

from ..measure import Rival, Rivals, interleaved
from . import child, nets
from .ceilings import Ceilings
from .child import Child
from .nets import OURS, TORCH, Call, Work

STEPS = 4  # after which losses are compared
PASSES = 3  # of the forward pass' operations that a training step takes


RESTS = 4  # before each rival: OpenBLAS's threads spin for 2^28 cycles, a tenth of a second


def row(work: Work, threads: int, roof: Ceilings, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Everything about one work, as plain values."""
    steps = dict(_here(work))
    losses = {name: _loss(step) for name, step in steps.items()} if work.is_training else {}
    calls: dict[str, Rival] = dict(steps)
    with ExitStack() as others:
        for name, rival in _elsewhere(work, threads):
            calls[name] = others.enter_context(closing(rival)).rival
        rivals = interleaved(calls, seconds=seconds, rounds=rounds, rests=RESTS)
    timings = {name: asdict(rivals.timing(name)) for name in calls}
    flops = _flops(work) / rivals.timing(OURS).median
    return {
        "work": str(work),
        "seconds": timings,
        "ratios": _ratios(rivals),
        "wanted": work.wanted,
        "losses": losses,
        "share_of_peak": flops / roof.flops,
        "peak_bytes": dict(_memory(work, threads)),
    }


def _here(work: Work) -> Iterator[tuple[str, Call]]:
    """Every rival that is installed and runs in this process."""
    for name in (OURS, *TORCH, nets.BASELINE):
        try:
            yield name, child.call(name, work)
        except ModuleNotFoundError:
            continue


def _elsewhere(work: Work, threads: int) -> Iterator[tuple[str, Child]]:
    """onnxruntime, which has no training."""
    if work.is_training or find_spec(child.ORT) is None:
        return
    yield child.ORT, Child(child.ORT, work, threads)


def _loss(step: Call) -> float:
    """The loss of the fourth training step: all must say the same."""
    return float([step() for _ in range(STEPS)][-1])


def _ratios(rivals: Rivals) -> dict[str, float]:
    """How many times as long as ours each rival takes, and PyTorch's better format."""
    others = [name for name in rivals.samples if name != OURS]
    ratios = {name: rivals.ratio(name, OURS) for name in others}
    torch = [ratios[name] for name in TORCH if name in ratios]
    return ratios | ({"best torch": min(torch)} if torch else {})


def _flops(work: Work) -> int:
    """Operations of direct convolution: a training step's are about three forward passes'."""
    net = models.create(work.net)
    once = net.flops((work.batch, *net.input_shape))
    return PASSES * once if work.is_training else once


def _memory(work: Work, threads: int) -> Iterator[tuple[str, int | None]]:
    """The most memory that a rival alone in a process ever held."""
    torch = TORCH if find_spec("torch") else ()
    for name in (OURS, *torch):
        rival = Child(name, work, threads)
        rival.run()
        rival.run()
        yield name, rival.peak()
