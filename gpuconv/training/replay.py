"""Passes of a net that are recorded when they come a second time, and played from then on.

What a small net's step takes is mostly Python: shapes, choices, memory, the same in every step. The
first pass of a kind runs as ever, and whatever is made ready at first use is made ready. The second
is recorded (gpuconv/cpu/recording.py); the others play the recording, which gives the same bits, as
long as the net is what it was: its layers and their options, its arrays, the limits.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import cpu, registry
from ..cpu.recording import Recording
from ..layers import Layer
from ..layers.base import records
from ..layers.parameter import Tensorlike
from ..limits import current_limits
from ..nodes import train_forward
from ..random import Stream

KEPT = 4  # kinds of passes of one net: the usual batch, the last one of an epoch, ...
CHANGING = (list, dict, set)


class Snapshot:
    """What a net was: ``holds`` tells whether it still is."""

    def __init__(self, net: Layer) -> None:
        self._layers = list(_layers(net))
        self._places = [place for layer in self._layers for place in _places(layer)]
        self._options = [_options(layer) for layer in self._layers]
        self._arrays = [_array(place) for place in self._places]

    def holds(self) -> bool:
        """Whether every layer has its options, and every parameter its array and its place."""
        known = zip(self._layers, self._options, strict=True)
        try:
            if not all(vars(layer) == options for layer, options in known):
                return False
        except ValueError:  # an array that is another now
            return False
        arrays = zip(self._places, self._arrays, strict=True)
        return all(_same(_array(place), array) for place, array in arrays)


def _layers(net: Layer) -> Iterator[Layer]:
    yield net
    for child in net.children().values():
        yield from _layers(child)


def _places(layer: Layer) -> Iterator[Tensorlike]:
    return (value for value in vars(layer).values() if isinstance(value, Tensorlike))


def _options(layer: Layer) -> dict[str, Any]:
    return {k: type(v)(v) if type(v) in CHANGING else v for k, v in vars(layer).items()}


def _array(place: Any) -> tuple:
    return place._value, getattr(place, "_slot", None), getattr(place, "trainable", None)


def _same(now: tuple, before: tuple) -> bool:
    return all(a is b for a, b in zip(now, before, strict=True))


class Tape:
    """A pass over one kind of images: recorded at first, then played."""

    def __init__(self, net: Layer, images: np.ndarray) -> None:
        self.net = net
        self._images, self._recording = np.empty_like(images), Recording()
        self._forward: int | None = None
        self._snapshot: Snapshot | None = None  # of the net when all was recorded

    def holds(self) -> bool:
        """Whether all of the pass was recorded, and the net is what it was then."""
        return self._snapshot is not None and self._snapshot.holds()

    def infer(self, images: np.ndarray) -> np.ndarray:
        """The prediction; nothing is kept."""
        prediction = self._run(self.net.forward, images)
        self._snapshot = self._snapshot or Snapshot(self.net)
        return prediction

    def forward(self, images: np.ndarray, rng: Stream) -> np.ndarray:
        """The prediction of a training pass."""
        return self._run(partial(train_forward, self.net), images, rng=rng)

    def _run(self, forward: Callable, images: np.ndarray, **options: Any) -> np.ndarray:
        np.copyto(self._images, images)
        self._options = options
        if self._forward is None:
            with self._recording.under_way():
                self._prediction, self._saved = forward(self._images, **options)
            self._forward = len(self._recording.steps)
        else:
            if "rng" in options:
                self._recording.number("step", options["rng"].step)
            self._recording.play(0, self._forward)
        return np.array(self._prediction)

    def backward(self, gradient: np.ndarray) -> None:
        """Set every gradient; the last ``forward`` was of this pass."""
        if self._snapshot is None:
            self._dy = np.array(gradient)
            with self._recording.under_way():
                self.net.backward(self._dy, self._saved, need_dx=False)
            self._gradients = [(p, p.grad) for p in self.net.parameters()]
            self._snapshot = Snapshot(self.net)
        elif _kind(gradient) == _kind(self._dy):
            np.copyto(self._dy, gradient)
            self._recording.play(self._forward or 0)
            for parameter, place in self._gradients:
                parameter.grad = place
        else:  # a loss that gives another kind of gradient: what it needs was not kept
            _, saved = train_forward(self.net, self._images, **self._options)
            self.net.backward(gradient, saved, need_dx=False)


def _kind(array: Any) -> tuple:
    return type(array), array.shape, array.dtype


class Tapes:
    """The tapes of one net; ``mode`` "train" or "inference".

    ``may`` says whether the parameters are where a recording may rely on them.
    """

    def __init__(self, net: Layer, mode: str, may: Callable[[], bool] = lambda: True) -> None:
        self._net, self._mode, self._may = net, mode, may
        self._known: dict[tuple, Tape | None] = {}  # None: such a pass came once

    def find(self, images: Any, seed: int = 0, early: tuple = ()) -> Tape | None:
        """The tape for a pass over these images, recorded or to be; None to run it as ever.

        ``early`` are the steps that its backward takes (early.py).
        """
        if type(images) is not np.ndarray:
            return None
        numbers = seed, registry.registrations(), cpu.level()
        key = images.shape, images.dtype, current_limits(), *numbers, early
        tape, is_new = self._known.get(key), key not in self._known
        if tape is not None and tape.holds():
            return tape
        self._known.pop(key, None)
        if not self._recordable():
            return None
        made = None if is_new else Tape(self._net, images)
        while len(self._known) >= KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[key] = made
        return made

    def _recordable(self) -> bool:
        """Whether all that the net does in a pass is done by ops."""
        is_plain = all(records(layer, self._mode) for layer in _layers(self._net))
        return is_plain and self._net.outputs == 1 and self._may()
