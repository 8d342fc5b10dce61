"""The calls of ops that a step of a net really makes: its formats, its fused epilogues.

The net runs with kernels that compute nothing (tracing.py), on arrays that nobody writes, so that a
new layer or op is in without a line here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import device as devices
from ..cpu import memory
from ..device import CPU, Device
from ..graph import Graph
from ..layers import CrossEntropyLoss, Layer
from ..layers.parameter import Parameter, Tensorlike
from ..nodes import train_forward
from ..problem import Problem
from ..random import Stream
from ..shapes import Shape
from ..tracing import Trace, takes_as, tracing
from .folding import folded

FORWARD, BACKWARD = "forward", "backward"
FORK = "(sum where values meet)"  # what a graph itself computes: gradients of a value read twice


@dataclass(frozen=True)
class Call:
    """A call of an op by a layer, in one of its passes; ``algorithm`` is what the layer names."""

    layer: str
    phase: str
    op: str
    problem: Problem
    algorithm: str | None = None


def calls(
    net: Layer,
    *shapes: Shape,
    train: bool = False,
    device: Device = CPU,
    loss: Layer | None = None,
) -> list[Call]:
    """Every call of one pass of ``InferenceStep``, or of ``TrainStep`` without its update.

    A step that is taken early (early.py) counts as the gradient that it would have been.

    ``shapes``: the inputs', batch included. ``loss``: default cross entropy where the output is
    (N, K) or (N, K, H, W), else none. The net stays as it is. Raises ShapeError for shapes that do
    not fit, DeviceError for a batch that no memory holds.
    """
    net.output_shape(*shapes)
    with _undrawn(net), np.errstate(all="ignore"):
        planned = net if train else folded(net)
        log = _Log()
        with tracing(takes_as(device)) as log.trace, _watched(planned, log):
            _run(planned, shapes, train, loss, log)
        return log.calls


def _run(
    net: Layer, shapes: tuple[Shape, ...], train: bool, loss: Layer | None, log: "_Log"
) -> None:
    dtype = next((p.home[1] for p in net.parameters()), "float32")
    xs = [devices.empty(shape, dtype, CPU) for shape in shapes]
    if not train:
        net.forward(*xs)
        log.close(FORK, FORWARD)
        return
    y, saved = train_forward(net, *xs, rng=Stream(0))
    log.close(FORK, FORWARD)
    gradient = y
    loss = _loss_for(y) if loss is None else loss
    if loss is not None:
        _, kept = loss.forward(y, _target(loss, y), train=True)
        log.close("loss", FORWARD)
        gradient, _ = loss.backward(1.0, kept)
        log.close("loss", BACKWARD)
    net.backward(gradient, saved, need_dx=False)
    log.close(FORK, BACKWARD)


def _loss_for(y: Any) -> Layer | None:
    return CrossEntropyLoss() if type(y) is np.ndarray and y.ndim in (2, 4) else None


def _target(loss: Layer, y: Any) -> np.ndarray:
    if isinstance(loss, CrossEntropyLoss):
        return np.zeros((y.shape[0], *y.shape[2:]), np.int64)
    return memory.empty(y.shape, y.dtype)


class _Log:
    """Whose call was which: what came since somebody's beginning is theirs."""

    trace: Trace

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def close(self, layer: str, phase: str) -> None:
        """What nobody has claimed yet is of this layer."""
        mine = self.trace.calls[len(self.calls) :]
        self.calls += [Call(layer, phase, *asked) for asked in mine]


@contextmanager
def _watched(net: Layer, log: _Log) -> Iterator[None]:
    """Inside, the layers of a net say whose a call was."""
    watched = dict[int, Layer]()
    for name, layer in leaves(net):
        if id(layer) not in watched:
            watched[id(layer)] = layer
            for phase in (FORWARD, BACKWARD):
                setattr(layer, phase, _telling(getattr(layer, phase), name, phase, log))
    try:
        yield
    finally:
        for layer in watched.values():
            del layer.forward, layer.backward  # the class has its own


def _telling(method: Any, name: str, phase: str, log: _Log) -> Any:
    def tell(*args: Any, **options: Any) -> Any:
        log.close(FORK, phase)
        try:
            return method(*args, **options)
        finally:
            log.close(name, phase)

    return tell


def leaves(net: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers that a net's graphs are made of, by the nodes on the way to them."""
    if not isinstance(net, Graph) or type(net).forward is not Graph.forward:
        yield prefix or type(net).__name__.lower(), net
        return
    for node in net.nodes:
        yield from leaves(node.layer, f"{prefix} {node.name}".strip())


@contextmanager
def _undrawn(net: Layer) -> Iterator[None]:
    """Inside, values are memory that nobody has written; afterwards all is as before.

    Drawing a large net's values takes seconds, and its gradients belong to somebody.
    """
    places = [place for _, place in net._named(Tensorlike, "", set())]
    before = [vars(place).copy() for place in places]
    for place in places:
        _blank(place)
    try:
        yield
    finally:
        for place, state in zip(places, before, strict=True):
            vars(place).clear()
            vars(place).update(state)


def _blank(place: Tensorlike) -> None:
    if isinstance(place, Parameter):
        place.grad = place._slot = None
        place._value = memory.empty(place.shape, place.home[1])
    else:
        place._value = np.ones(place.shape, place.home[1])
