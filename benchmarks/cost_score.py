"""How good the predicted times are at choosing: every candidate timed, on the layers of nets.

``python -m gpuconv.benchmarks.cost_score`` takes every call of a training step of LeNet, AlexNet,
VGG-16 and ResNet-50 for which several kernels volunteer, as the step makes it and on plain NCHW
arrays too. It times them in turn, takes the shortest call of each (others may use the machine), and
counts the calls whose chosen kernel is within 10 % of the best. ``--out`` keeps every figure.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpuconv import battery, models, registry
from gpuconv.candidates import Candidate, candidates
from gpuconv.device import CPU
from gpuconv.limits import limits
from gpuconv.plans import Plan
from gpuconv.problem import Problem
from gpuconv.registry import Op
from gpuconv.training.planned import calls

from .cases import batch_for, known_shape
from .contest import bound
from .measure import interleaved
from .suite import environment
from .values import values

NETS = ("lenet5", "alexnet", "vgg16", "resnet50")
NEAR = 1.1  # times the best: within 10 %


@dataclass(frozen=True)
class Scored:
    """A call and its candidates: seconds predicted and taken, by kernel; which one is chosen."""

    net: str
    layer: str
    op: str
    problem: Problem
    is_planned: bool
    chosen: str
    predicted: dict[str, float | None]
    seconds: dict[str, float]

    @property
    def best(self) -> str:
        """The kernel that took the least time."""
        return min(self.seconds, key=lambda name: self.seconds[name])

    @property
    def ratio(self) -> float:
        """How many times as long as the best the chosen one takes."""
        return self.seconds[self.chosen] / self.seconds[self.best]

    @property
    def good(self) -> bool:
        """Whether the choice is within 10 % of the best."""
        return self.ratio <= NEAR

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "problem": str(self.problem), "ratio": round(self.ratio, 3)}

    def __str__(self) -> str:
        told = (
            f"{name} {1e3 * taken:.3g} ms (predicted {1e3 * (self.predicted[name] or 0):.3g})"
            for name, taken in sorted(self.seconds.items(), key=lambda pair: pair[1])
        )
        said = f"{self.net} {self.layer}: {self.op} {self.problem}"
        return f"{said}\n    {self.ratio:.2f} {self.chosen} chosen; {', '.join(told)}"


def wanted(
    nets: Iterable[str], ops: Iterable[str] = (), batch: int | None = None
) -> Iterator[tuple[str, str, Op, Problem, bool, list[Candidate]]]:
    """Every problem once for which there is more than one candidate, and those.

    Net, layer, op, problem; whether the step makes this call, or NCHW stands for what it makes.
    """
    seen, only = set[tuple[str, Problem]](), set(ops)
    for name in nets:
        net = models.create(name, dropout=0)
        shape = (batch or batch_for(name), *net.input_shape)
        for call in calls(net, shape, train=True):
            for problem in dict.fromkeys((call.problem, call.problem.plain)):
                key = call.op, problem
                if key in seen or (only and call.op not in only):
                    continue
                seen.add(key)
                op = registry.get_op(call.op)
                with limits(plan=Plan()):  # predictions are scored, not what was measured
                    able = [one for one in candidates(op, problem, CPU) if not one.refused]
                if len(able) > 1:
                    is_planned = problem == call.problem
                    yield name, f"{call.layer} {call.phase}", op, problem, is_planned, able


def score(op: Op, problem: Problem, able: list[Candidate], seconds: float) -> dict[str, float]:
    """Seconds of each candidate's shortest call, timed in turn."""
    arrays = battery.formatted(op, problem, values(op, problem))
    timed = {one.name: bound(op, one.kernel, problem, CPU, arrays) for one in able}
    rivals = interleaved(timed, seconds=seconds, rounds=12)
    return {name: rivals.timing(name).shortest for name in timed}


def scored(
    nets: Iterable[str], ops: Iterable[str], batch: int | None, seconds: float
) -> Iterator[Scored]:
    """Every call as it is scored."""
    for net, layer, op, problem, is_planned, able in wanted(nets, ops, batch):
        taken = score(op, problem, able, seconds)
        predicted = {one.name: one.predicted for one in able}
        chosen = able[0].name
        yield Scored(net, layer, op.name, problem, is_planned, chosen, predicted, taken)


def summary(found: list[Scored]) -> Iterator[str]:
    """The misses, then a line for each op and one for all."""
    for one in sorted(found, key=lambda one: one.ratio):
        if not one.good:
            yield str(one)
    for op in dict.fromkeys(one.op for one in found):
        yield _line(op, [one for one in found if one.op == op])
    yield _line("as a step calls them", [one for one in found if one.is_planned])
    yield _line("the same on plain arrays", [one for one in found if not one.is_planned])
    yield _line("all", found)


def _line(what: str, found: list[Scored]) -> str:
    good = sum(one.good for one in found)
    share, worst = 100 * good / max(len(found), 1), max((one.ratio for one in found), default=1.0)
    time = sum(one.seconds[one.chosen] for one in found)
    least = sum(one.seconds[one.best] for one in found)
    return (
        f"{what}: {good} of {len(found)} choices within 10 % of the best ({share:.0f} %); the "
        f"worst takes {worst:.2f} times as long, all together {time / (least or 1):.3f} times"
    )


def main(given: list[str] | None = None) -> None:
    """Time, print, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--nets", nargs="+", default=NETS, metavar="NET")
    parser.add_argument("--ops", nargs="+", default=(), metavar="OP", help="default: all")
    parser.add_argument("--batch-size", type=int, help="default: 64, large images 16")
    parser.add_argument("--seconds", type=float, default=1.0, help="of timing for each call")
    parser.add_argument("--out", type=Path, help="JSON file for every figure")
    asked = parser.parse_args(given)
    nets = [known_shape(name) for name in asked.nets]
    found: list[Scored] = []
    for one in scored(nets, asked.ops, asked.batch_size, asked.seconds):
        found.append(one)
        print(("  " if one.good else "! ") + str(one).replace("\n   ", ":"), flush=True)
    print("\n".join(["", *summary(found)]))
    if asked.out:
        asked.out.write_text(_kept(found), encoding="utf-8")


def _kept(found: list[Scored]) -> str:
    """Machine, date, the summary and every call, a line for each so that a diff reads."""
    said = [line for line in summary(found) if "\n" not in line]
    rows = ",\n".join(f"  {json.dumps(one.as_dict())}" for one in found)
    head = f'"environment": {json.dumps(environment(CPU))},\n"summary": {json.dumps(said)}'
    return f'{{{head},\n"score": [\n{rows}\n]}}\n'


if __name__ == "__main__":
    main()
