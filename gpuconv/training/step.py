"""One training step, and one inference pass, as objects."""

from threading import Lock
from typing import Any

from .. import device as devices
from ..cpu import keeping
from ..errors import OptionError
from ..layers import Layer
from ..nodes import train_forward
from ..random import Stream
from .early import large
from .folding import folded, state
from .optimizers import Optimizer
from .replay import Tapes


class TrainStep:
    """``step(images, labels) -> loss``: forward, loss, backward, update; counts steps.

    The loss is a 0-d device array; reading it makes the host wait. ``prediction`` is the last
    output of the net. Random layers draw from ``Stream(seed, steps)``. On the CPU a pass like one
    that came before is played from a recording, with the same bits (replay.py), and with ``early``
    the step of a large weight is taken where its gradient is computed, with the same bits: that
    gradient is not kept (early.py). Raises OptionError for what is no net, loss, optimizer or seed.
    """

    def __init__(
        self,
        net: Layer,
        loss: Layer,
        optimizer: Optimizer,
        *,
        seed: int = 0,
        early: bool = True,
    ) -> None:
        kinds = (
            (net, Layer, "a net"),
            (loss, Layer, "a loss"),
            (optimizer, Optimizer, "an optimizer"),
        )
        for given, kind, what in kinds:
            if not isinstance(given, kind):
                raise OptionError(f"TrainStep: expected {what}, got {given!r}")
        Stream(seed)  # raises for a seed that is none
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.seed, self.early = seed, early
        self.prediction: Any = None
        self._tapes = Tapes(net, "train", self._owns)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.optimizer.steps

    def _owns(self) -> bool:
        """Whether every gradient has its place with this optimizer."""
        mine = set(map(id, self.optimizer.arena.parameters))
        return all(id(p) in mine for p in self.net.parameters() if p.trainable)

    def __call__(self, images: Any, labels: Any) -> Any:
        self.optimizer.zero_grad()
        self.optimizer.arena.refresh()
        device = self.optimizer.arena.device
        images, labels = devices.to_device(images, device), devices.to_device(labels, device)
        rng = Stream(self.seed, self.steps)
        early = self.optimizer.early(large(self.net)) if self.early else ()
        tape, saved = self._tapes.find(images, self.seed, early), None
        if tape is not None:
            self.prediction = tape.forward(images, rng)
        else:
            self.prediction, saved = train_forward(self.net, images, rng=rng)
        loss, kept = self.loss.forward(self.prediction, labels, train=True)
        gradient, _ = self.loss.backward(1.0, kept)
        with self.optimizer.taking(early):
            if tape is not None:
                tape.backward(gradient)
            else:
                self.net.backward(gradient, saved, need_dx=False)
        self.optimizer.step()
        return loss


class InferenceStep:
    """``step(images) -> prediction``: the net in evaluation mode, nothing kept.

    Batch normalisation behind a convolution is folded into its weights, and CPU kernels keep the
    weights in their own order, anew when a value of the net has changed (its ``version``: what is
    written into an array in place counts only then). Results may differ from the net's by rounding.
    Raises OptionError for what is no net.
    """

    def __init__(self, net: Layer) -> None:
        if not isinstance(net, Layer):
            raise OptionError(f"InferenceStep: expected a net, got {net!r}")
        self.net = net
        self._planned: tuple[list, Layer, keeping.Store, Tapes] | None = None
        self._busy = Lock()

    def __call__(self, images: Any) -> Any:
        parameters = self.net.parameters()
        if parameters:
            images = devices.to_device(images, devices.of(parameters[0].value))
        planned, weights, tapes = self._plan()
        with keeping.kept(weights):
            if not self._busy.acquire(blocking=False):  # a recording's memory is one thread's
                return planned(images)
            try:
                tape = tapes.find(images)
                return planned(images) if tape is None else tape.infer(images)
            finally:
                self._busy.release()

    def _plan(self) -> tuple[Layer, keeping.Store, Tapes]:
        now, known = state(self.net), self._planned
        if known is None or known[0] != now:
            planned = folded(self.net)
            weights = keeping.Store(parameter.value for parameter in planned.parameters())
            known = self._planned = now, planned, weights, Tapes(planned, "inference")
        return known[1:]
