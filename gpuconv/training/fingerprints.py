"""Hashes of whatever a short training computes, in the order in which it is computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from .. import device as devices
from ..layers import CrossEntropyLoss, Layer
from ..nodes import train_forward
from ..ops import bare
from ..random import Stream
from .optimizers import Optimizer
from .planned import BACKWARD, FORWARD, leaves
from .step import InferenceStep, TrainStep

_IMAGES, _LABELS = 1, 2  # streams of the made-up batches


class Print(NamedTuple):
    """One hash: ``where`` in the training, ``name`` of the layer or array, SHA-256 of its bits."""

    where: str
    name: str
    digest: str


def batch(net: Any, size: int, seed: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """A batch of random images (N, C, H, W) and labels (N,), a function of seed and step."""
    shape = size, *net.input_shape
    images = Stream(seed, step, _IMAGES).normal(shape).astype(np.float32)
    classes = net.output_shape(shape)[1]
    words = Stream(seed, step, _LABELS).words(size)
    return images, (words % np.uint32(classes)).astype(np.int64)


def fingerprints(
    net: Any, optimizer: Optimizer, *, steps: int, batch_size: int, seed: int = 0
) -> list[Print]:
    """Train ``net``, which has an ``input_shape``, on made-up batches, and hash all that it makes.

    First every layer's output and gradient in a pass of its own, then loss, prediction and weights
    of each TrainStep, which may play that pass from a recording, then every layer's output in
    evaluation. The first Print that differs in another process is where bits went apart.
    """
    found = [*_weights("initial weights", net)]
    images, labels = (
        devices.to_device(a, optimizer.arena.device) for a in batch(net, batch_size, seed, 0)
    )
    found += _pass(net, images, labels, seed)
    step = TrainStep(net, CrossEntropyLoss(), optimizer, seed=seed)
    for number in range(1, steps + 1):
        loss = step(*batch(net, batch_size, seed, number))
        where = f"step {number}"
        found += [_print(where, "loss", loss), _print(where, "prediction", step.prediction)]
        found += _weights(f"weights after step {number}", net)
    state = optimizer.state_dict().items()
    found += [_print("optimiser", n, a) for n, a in state if hasattr(a, "dtype")]
    with _told(net, "evaluation", found):
        net(images)
    return [*found, _print("evaluation", "prediction", InferenceStep(net)(images))]


def first_difference(one: list[Print], other: list[Print]) -> Print | None:
    """The first Print of ``one`` that ``other`` has not in its place, or None."""
    pairs = zip(one, other, strict=False)
    apart = next((mine for mine, theirs in pairs if mine != theirs), None)
    if apart is None and len(one) != len(other):
        return max(one, other, key=len)[min(len(one), len(other))]
    return apart


def _pass(net: Layer, images: Any, labels: Any, seed: int) -> list[Print]:
    """A training pass that changes nothing: outputs, gradients of values, of parameters."""
    found: list[Print] = []
    loss = CrossEntropyLoss()
    with _told(net, "first pass", found):
        y, saved = train_forward(net, images, update=False, rng=Stream(seed, 0))
        _, kept = loss.forward(y, labels, train=True)
        net.backward(loss.backward(1.0, kept)[0], saved, need_dx=False)
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            found.append(_print("first pass: gradient", name, parameter.grad))
    net.zero_grad()
    return found


def _weights(where: str, net: Layer) -> Iterator[Print]:
    return (_print(where, name, array) for name, array in net.state_dict().items())


@contextmanager
def _told(net: Layer, where: str, found: list[Print]) -> Iterator[None]:
    """Inside, each layer's output and dx are hashed when they are there."""
    layers = {id(layer): (name, layer) for name, layer in leaves(net)}
    for name, layer in layers.values():
        for phase in (FORWARD, BACKWARD):
            method = getattr(layer, phase)
            setattr(layer, phase, _telling(method, f"{where}: {phase}", name, found))
    try:
        yield
    finally:
        for _, layer in layers.values():
            del layer.forward, layer.backward  # the class has its own


def _telling(method: Any, where: str, name: str, found: list[Print]) -> Any:
    is_forward = where.endswith(FORWARD)

    def tell(*args: Any, **options: Any) -> Any:
        made = method(*args, **options)
        value = made[0] if is_forward else made
        values = value if isinstance(value, tuple) else (value,)
        found.extend(_print(where, name.replace(" ", "."), v) for v in values if v is not None)
        return made

    return tell


def _print(where: str, name: str, value: Any) -> Print:
    array = np.ascontiguousarray(devices.to_numpy(bare(value)))
    digest = sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(array.reshape(-1).view(np.uint8).data)
    return Print(where, name, digest.hexdigest())
