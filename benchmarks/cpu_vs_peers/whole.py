"""Whole nets: every rival checked, then timed in turn, each in a process of its own."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import figures
from ..measure import Rivals, interleaved
from .ceilings import Ceilings
from .child import ORT, Child
from .layers import CLOSE
from .nets import BASELINE, OURS, TORCH, Work

RIVALS = {
    OURS: (), **dict.fromkeys(TORCH, ("torch",)), ORT: (ORT, "onnx", "onnxscript", "torch"),
    BASELINE: (),
}  # fmt: skip
RESTS = 4  # before each rival: OpenBLAS's threads spin for 2^28 cycles, a tenth of a second


@dataclass(frozen=True)
class Outcome:
    """What came of one rival: ``figures.MEASURED``, or another state and a note that says why.

    ``answer``: losses of some training steps, or a prediction; ``peak``: bytes held at most.
    """

    state: str = figures.MEASURED
    note: str = ""
    answer: tuple[float, ...] = ()
    peak: int | None = None


EXPORTS = Outcome(figures.REFUSED, "its model is exported in the same process, which holds more")


def contest(
    work: Work, threads: int, *, rivals: Iterable[str] = RIVALS, seconds: float, rounds: int
) -> tuple[dict[str, Outcome], Rivals]:
    """Every rival's outcome; those that compute what NumPy's kernels compute are timed in turn."""
    found = {name: lacking(name, work) or Outcome() for name in rivals}
    timed, present = Rivals({}), {}
    with ExitStack() as all_of_them:
        oracle = all_of_them.enter_context(closing(Child(BASELINE, work, threads)))
        for name in [name for name, one in found.items() if one.state == figures.MEASURED]:
            child = oracle if name == BASELINE else Child(name, work, threads)
            all_of_them.enter_context(closing(child))
            found[name] = _checked(child, np.array(oracle.answer["answer"]))
            if found[name].state == figures.MEASURED:
                present[name] = child
        calls = {name: child.rival for name, child in present.items()}
        if calls:
            timed = interleaved(calls, seconds=seconds, rounds=rounds, rests=RESTS)
        for name, child in present.items():
            held = child.peak()
            found[name] = replace(found[name], peak=None if name == ORT else held)
    return found, timed


def lacking(name: str, work: Work) -> Outcome | None:
    """Why a rival cannot take part, without asking it; or None."""
    missing = next((package for package in RIVALS[name] if not find_spec(package)), None)
    if name == ORT and work.is_training:
        return Outcome(figures.REFUSED, "has no training")
    return Outcome(figures.ABSENT, f"the package {missing}") if missing else None


def _checked(child: Child, truth: np.ndarray) -> Outcome:
    try:
        said = child.answer
    except RuntimeError as ended:
        return Outcome(figures.FAILED, str(ended))
    if "reason" in said:
        return Outcome(figures.FAILED, " ".join(said["reason"].split()))
    answer = np.array(said["answer"])
    if answer.shape != truth.shape:
        return Outcome(
            figures.WRONG, f"{answer.size} numbers came, NumPy's kernels give {truth.size}"
        )
    apart = float(np.max(np.abs(answer - truth)) / np.max(np.abs(truth)))
    outcome = Outcome(answer=tuple(said["answer"]))
    if not apart <= CLOSE:  # NaN must fail
        return replace(outcome, state=figures.WRONG, note=f"{apart:.2g} of the largest number away")
    return outcome


def memory(
    work: Work, threads: int, rivals: Iterable[str] = RIVALS
) -> Iterator[tuple[str, Outcome]]:
    """The most memory that a rival alone in a new process held over two runs."""
    for name in rivals:
        found = lacking(name, work) or (EXPORTS if name == ORT else Outcome())
        if found.state == figures.MEASURED:
            child = Child(name, work, threads)
            try:
                child.run(2)
                found = replace(found, peak=child.peak())
            except RuntimeError as ended:
                found = Outcome(figures.FAILED, str(ended))
        yield name, found


# ---- for cpu_vs_peers -----------------------------------------------------------------------


def row(work: Work, threads: int, roof: Ceilings, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Everything about one work, as plain values."""
    found, timed = contest(work, threads, rivals=RIVALS, seconds=seconds, rounds=rounds)
    here = list(timed.samples)
    losses = {name: found[name].answer[-1] for name in here if work.is_training}
    timings = {name: asdict(timed.timing(name)) for name in here}
    return {
        "work": str(work),
        "seconds": timings,
        "ratios": ratios(timed),
        "wanted": work.wanted,
        "losses": losses,
        "share_of_peak": work.flops / timed.timing(OURS).median / roof.flops,
        "peak_bytes": {name: found[name].peak for name in (OURS, *TORCH) if name in here},
        "others": {n: f"{o.state}: {o.note}" for n, o in found.items() if n not in here},
    }


def ratios(timed: Rivals) -> dict[str, float]:
    """How many times as long as ours each rival takes, and PyTorch's better format."""
    others = [name for name in timed.samples if name != OURS]
    found = {name: timed.ratio(name, OURS) for name in others}
    torch = [found[name] for name in TORCH if name in found]
    return found | ({"best torch": min(torch)} if torch else {})
