"""The suite of layers: each pass through the layer API, and what inference makes one pass of."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuconv import models
from gpuconv.graph import Sequential
from gpuconv.layers import BatchNorm2d, Conv2d, Layer, ReLU
from gpuconv.random import Stream
from gpuconv.shapes import Shape
from gpuconv.training.step import InferenceStep

from . import figures
from .cpu_vs_peers import layers
from .cpu_vs_peers.ceilings import Ceilings
from .cpu_vs_peers.layers import Contest
from .cpu_vs_peers.nets import OURS, TORCH, Work
from .cpu_vs_peers.torch_net import single
from .figures import Row
from .measure import interleaved
from .places import Place, places
from .whole_nets import Limits


def rows(work: Work, roof: Ceilings, limits: Limits) -> Iterator[list[Row]]:
    """The rows of each pass of each layer of a net, then of each block that inference fuses."""
    given = layers.Limits(limits.rounds, limits.seconds, "torch" in limits.peers)
    for contests in (layers.contests(work, given, set()), blocks(work, given)):
        for one in contests:
            missing = "torch" in limits.peers and not given.others
            yield _rows(one, work, roof, list(TORCH) if missing else list(one.timed.samples))


def _rows(one: Contest, work: Work, roof: Ceilings, others: list[str]) -> list[Row]:
    problem = " ".join(map(str, (one.layer, *one.shapes)))
    start = Row(
        one.layer, f"{one.kind} {one.what}", problem, work.batch, OURS, False, figures.MEASURED,
        is_chosen=True, flops=one.flops, suite="layers",
    )  # fmt: skip
    names = dict.fromkeys((OURS, *others))
    found = [replace(start, name=n, is_peer=n != OURS, is_chosen=n == OURS) for n in names]
    return [_timed(row, one, roof) for row in found]


def _timed(row: Row, one: Contest, roof: Ceilings) -> Row:
    samples = one.timed.samples
    if row.name not in samples:
        if row.name == OURS:
            return replace(row, state=figures.WRONG, note=one.fault)
        return replace(row, state=figures.ABSENT, note="the package torch")
    timing = one.timed.timing(row.name)
    return replace(
        row,
        timing=timing,
        ratio=one.timed.ratio(row.name, OURS) if OURS in samples else None,
        roofline=figures.share(row.flops, 0, timing.median, roof) if row.flops else None,
    )


# ---- blocks: a convolution, its normalisation and its ReLU -----------------------------------


@dataclass(frozen=True)
class Block:
    """Layers one after the other that inference makes one of; named after the first."""

    places: tuple[Place, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Themselves."""
        return tuple(place.layer for place in self.places)

    @property
    def key(self) -> str:
        """What is equal for blocks that do the same work."""
        return " ".join(place.key for place in self.places)


def found_in(found: list[Place]) -> Iterator[Block]:
    """Every convolution, with the batch norm and the ReLU that take what it gives."""
    for number, place in enumerate(found):
        if isinstance(place.layer, Conv2d):
            taken, shape = [place], place.layer.output_shape(*place.shapes)
            for kind in (BatchNorm2d, ReLU):
                after = found[number + len(taken) : number + len(taken) + 1]
                if after and isinstance(after[0].layer, kind) and after[0].shapes == (shape,):
                    taken += after
            if len(taken) > 1:
                yield Block(tuple(taken))


def blocks(work: Work, limits: layers.Limits) -> Iterator[Contest]:
    """Inference of each block that differs from those before; values come and go in NCHW."""
    net, seen = models.create(work.net, dropout=0), set[str]()
    for block in found_in(list(places(net, ((work.batch, *net.input_shape),), work.net))):
        if block.key not in seen:
            seen.add(block.key)
            yield _contest(block, limits)


def _contest(block: Block, limits: layers.Limits) -> Contest:
    first: Place = block.places[0]
    shape: Shape = first.shapes[0]
    x = Stream(1).normal(shape).astype(np.float32)
    step = InferenceStep(Sequential(*block.layers))
    fault = layers.disagreement(lambda: [np.array(step(x), np.float64)])
    calls: dict[str, Any] = {} if fault else {OURS: lambda: step(x)}
    calls |= {n: _torch(block, x, channels_last=last) for n, last in limits.others.items()}
    timed = interleaved(calls, seconds=limits.seconds, rounds=limits.rounds)
    kind = " + ".join(type(layer).__name__ for layer in block.layers)
    flops = first.layer.flops(*first.shapes)
    return Contest(first.name, kind, first.shapes, "inference", flops, timed, fault)


def _torch(block: Block, x: np.ndarray, *, channels_last: bool) -> Any:
    import torch

    made = [single(layer, channels_last=channels_last) for layer in block.layers]
    module = torch.nn.Sequential(*made).eval()
    form = torch.channels_last if channels_last else torch.contiguous_format
    given = torch.from_numpy(x.copy()).contiguous(memory_format=form)

    def call() -> Any:
        with torch.inference_mode():
            return module(given)

    return call
