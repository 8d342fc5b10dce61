"""The layers of the nets, each pass by itself: what a net's own format brings is in these times.

Each is checked against NumPy's kernels before it is timed. Values come and go in the format in
which they travel within a net.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from gpuconv import models
from gpuconv.formats import Formatted, native
from gpuconv.layers import CrossEntropyLoss, Layer
from gpuconv.layers.base import takes_any_format
from gpuconv.ops import travels
from gpuconv.ops._formats import bare, in_format
from gpuconv.random import Stream
from gpuconv.shapes import Shape

from ..measure import Rivals, interleaved
from ..places import Place, places
from .nets import OURS, TORCH, Work, numpy_only
from .torch_net import single

SECONDS = 1.5  # for each pass of a layer
TINY = 1e-30
CLOSE = 2e-3  # of the largest number: how far answers may lie apart, float32 against float32
Calls = dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Contest:
    """One pass of one layer: what was timed, and why our own was not (``fault``)."""

    layer: str
    kind: str
    shapes: tuple[Shape, ...]
    what: str
    flops: int
    timed: Rivals
    fault: str = ""


@dataclass(frozen=True)
class Limits:
    """Of each pass: seconds, rounds; and whether PyTorch takes part, if it is installed."""

    rounds: int
    seconds: float = SECONDS
    torch: bool = True

    @property
    def others(self) -> dict[str, bool]:
        """PyTorch's ways, and whether channels come last in them."""
        return TORCH if self.torch and find_spec("torch") else {}


def contests(work: Work, limits: Limits, seen: set[str]) -> Iterator[Contest]:
    """Every pass of each layer that differs from those ``seen``, its loss at the end."""
    net = models.create(work.net, dropout=0)
    for number, place in enumerate(places(net, ((work.batch, *net.input_shape),), work.net)):
        if place.key not in seen and place.layer.children() == {}:
            seen.add(place.key)
            yield from _passes(place, limits, is_first=number == 0)
    yield _loss(f"{work.net} loss", (work.batch, models.get(work.net).num_classes), limits)


def _passes(place: Place, limits: Limits, *, is_first: bool) -> Iterator[Contest]:
    xs = [Stream(1 + k).normal(shape).astype(np.float32) for k, shape in enumerate(place.shapes)]
    fault = disagreement(lambda: _answers(place.layer, xs))
    rivals = {} if fault else {OURS: _ours(place.layer, xs)}
    rivals |= {name: _torch(place.layer, xs, last) for name, last in limits.others.items()}
    for what in ("forward", "data gradient", "weight gradient"):
        calls = {name: passes[what] for name, passes in rivals.items() if what in passes}
        if calls and not (is_first and what == "data gradient"):
            yield _contest(place, what, calls, limits, fault)


def _contest(place: Place, what: str, calls: Calls, limits: Limits, fault: str = "") -> Contest:
    timed = interleaved(calls, seconds=limits.seconds, rounds=limits.rounds)
    flops = place.layer.flops(*place.shapes)
    kind = type(place.layer).__name__
    return Contest(place.name, kind, place.shapes, what, flops, timed, fault)


def disagreement(answers: Callable[[], list[np.ndarray]]) -> str:
    """How far the answers are from those of NumPy's kernels; nothing where they are close."""
    found = answers()
    with numpy_only():
        wanted = answers()
    apart = max(
        float(np.max(np.abs(a - b), initial=0) / np.max(np.abs(b), initial=TINY))
        for a, b in zip(found, wanted, strict=True)
    )
    return "" if apart <= CLOSE else f"{apart:.2g} of the largest number away"  # NaN must fail


def _answers(layer: Layer, xs: list[np.ndarray]) -> list[np.ndarray]:
    """What the layer's passes give, and its parameters' gradients."""
    y, saved = layer.forward(*xs, train=True)
    layer.zero_grad()
    dy = Stream(9).normal(y.shape).astype(np.float32)
    dx = layer.backward(dy, saved, need_dx=tuple([True] * len(xs)) if len(xs) > 1 else True)
    given = [*(dx if isinstance(dx, tuple) else (dx,)), *(p.grad for p in layer.parameters())]
    return [np.array(bare(a), np.float64) for a in (y, *given) if a is not None]


# ---- for cpu_vs_peers -----------------------------------------------------------------------


def rows(works: Iterable[Work], *, rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each pass of each layer that differs from those before."""
    seen: set[str] = set()
    for work in works:
        for one in contests(work, Limits(rounds), seen):
            if OURS in one.timed.samples:
                yield _row(one)


def _row(one: Contest) -> dict[str, Any]:
    ratios = {n: one.timed.ratio(n, OURS) for n in one.timed.samples if n != OURS}
    return {
        "layer": one.layer,
        "kind": one.kind,
        "shapes": [list(shape) for shape in one.shapes],
        "pass": one.what,
        "seconds": {name: asdict(one.timed.timing(name)) for name in one.timed.samples},
        "ratios": ratios | ({"best torch": min(ratios.values())} if ratios else {}),
        "flops": one.flops,
    }


# ---- the rivals -----------------------------------------------------------------------------


def _ours(layer: Layer, xs: list[np.ndarray]) -> Calls:
    """The layer's passes on values in the format that a net would give it."""
    given = [_as_in_a_net(layer, x) for x in xs]
    y, saved = layer.forward(*given, train=True)
    dy: Any = Stream(9).normal(y.shape).astype(np.float32)
    if type(y) is Formatted:
        dy = Formatted(in_format(dy, y.format), y.shape, y.format)
    both = tuple([True] * len(given)) if len(given) > 1 else True

    def backward(trains: bool) -> Any:
        layer.zero_grad()
        for parameter in layer.parameters():
            parameter.trainable = trains
        return layer.backward(dy, saved, need_dx=False if trains else both)

    passes: Calls = {
        "forward": lambda: layer.forward(*given, train=True),
        "data gradient": lambda: backward(False),
    }
    if layer.parameters():
        passes["weight gradient"] = lambda: backward(True)
    return passes


def _as_in_a_net(layer: Layer, x: np.ndarray) -> Any:
    """The value in the format in which other layers would hand it on; the first layer's is NCHW."""
    if not (takes_any_format(type(layer)) and travels(x)):
        return x
    format = native()
    return Formatted(in_format(x, format), x.shape, format)


def _torch(layer: Layer, xs: list[np.ndarray], channels_last: bool) -> Calls:
    import torch

    module = single(layer, channels_last=channels_last)
    given = [torch.from_numpy(x.copy()) for x in xs]
    if channels_last:
        form = torch.channels_last
        given = [x.contiguous(memory_format=form) if x.ndim == 4 else x for x in given]
    leaves = [x.requires_grad_() for x in given]
    y = module(*leaves)
    dy = torch.randn_like(y)

    def gradient(wanted: list[Any]) -> Any:
        return torch.autograd.grad(y, wanted, dy, retain_graph=True)

    passes: Calls = {
        "forward": lambda: module(*leaves),
        "data gradient": lambda: gradient(leaves),
    }
    parameters = list(module.parameters())
    if parameters:
        passes["weight gradient"] = lambda: gradient(parameters)
    return passes


def _loss(name: str, shape: Shape, limits: Limits) -> Contest:
    layer = CrossEntropyLoss()
    x = Stream(1).normal(shape).astype(np.float32)
    labels = (Stream(2).words(shape[0]) % shape[1]).astype(np.int64)

    def own() -> Any:
        y, saved = layer.forward(x, labels, train=True)
        return y, layer.backward(1.0, saved)[0]

    fault = disagreement(lambda: [np.array(a, np.float64) for a in own()])
    calls: Calls = {} if fault else {OURS: own}
    if limits.others:
        calls["torch NCHW"] = _torch_loss(x, labels)
    place = Place(name, layer, (shape, shape[:1]))
    return _contest(place, "forward and gradient", calls, limits, fault)


def _torch_loss(x: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    import torch

    theirs, target = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(labels)
    entropy = torch.nn.functional.cross_entropy
    return lambda: torch.autograd.grad(entropy(theirs, target), theirs)
