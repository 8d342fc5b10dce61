"""The layers of the nets, each pass by itself: what a net's own format brings is in these times.

Values come and go in the format in which they travel within a net.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import numpy as np

from gpuconv import models
from gpuconv.formats import Formatted, native
from gpuconv.layers import CrossEntropyLoss, Layer
from gpuconv.layers.base import takes_any_format
from gpuconv.ops import travels
from gpuconv.ops._formats import in_format
from gpuconv.random import Stream
from gpuconv.shapes import Shape

from ..measure import interleaved
from ..places import Place, places
from .nets import OURS, TORCH, Work
from .torch_net import single

SECONDS = 1.5  # for each pass of a layer
Calls = dict[str, Callable[[], Any]]


def rows(works: Iterable[Work], *, rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each pass of each layer that differs from those before."""
    seen: set[str] = set()
    for work in works:
        net = models.create(work.net, dropout=0)
        for number, place in enumerate(places(net, ((work.batch, *net.input_shape),), work.net)):
            if place.key not in seen and place.layer.children() == {}:
                seen.add(place.key)
                yield from _passes(place, is_first=number == 0, rounds=rounds)
        classes = models.get(work.net).num_classes
        yield from _loss(f"{work.net} loss", (work.batch, classes), rounds)


def _passes(place: Place, *, is_first: bool, rounds: int) -> Iterator[dict[str, Any]]:
    xs = [Stream(1 + k).normal(shape).astype(np.float32) for k, shape in enumerate(place.shapes)]
    rivals = {OURS: _ours(place.layer, xs)}
    if find_spec("torch"):
        rivals |= {name: _torch(place.layer, xs, last) for name, last in TORCH.items()}
    for what in ("forward", "data gradient", "weight gradient"):
        calls = {name: passes[what] for name, passes in rivals.items() if what in passes}
        if calls and not (is_first and what == "data gradient"):
            yield _row(place, what, calls, rounds)


def _row(place: Place, what: str, calls: Calls, rounds: int) -> dict[str, Any]:
    rivals = interleaved(calls, seconds=SECONDS, rounds=rounds)
    ratios = {name: rivals.ratio(name, OURS) for name in calls if name != OURS}
    return {
        "layer": place.name,
        "kind": type(place.layer).__name__,
        "shapes": [list(shape) for shape in place.shapes],
        "pass": what,
        "seconds": {name: asdict(rivals.timing(name)) for name in calls},
        "ratios": ratios | ({"best torch": min(ratios.values())} if ratios else {}),
        "flops": place.layer.flops(*place.shapes),
    }


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


def _loss(name: str, shape: Shape, rounds: int) -> Iterator[dict[str, Any]]:
    layer = CrossEntropyLoss()
    x = Stream(1).normal(shape).astype(np.float32)
    labels = (Stream(2).words(shape[0]) % shape[1]).astype(np.int64)

    def own() -> Any:
        _, saved = layer.forward(x, labels, train=True)
        return layer.backward(1.0, saved)

    calls: Calls = {OURS: own}
    if find_spec("torch"):
        calls["torch NCHW"] = _torch_loss(x, labels)
    place = Place(name, layer, (shape, shape[:1]))
    yield _row(place, "forward and gradient", calls, rounds)


def _torch_loss(x: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    import torch

    theirs, target = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(labels)
    entropy = torch.nn.functional.cross_entropy
    return lambda: torch.autograd.grad(entropy(theirs, target), theirs)
