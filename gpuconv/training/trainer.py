"""Trainer: the training loop, on one page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from .. import device as devices
from ..data.dataset import Dataset
from ..errors import DataError, NonFiniteLossError
from ..layers import CrossEntropyLoss, Layer
from ..shapes import integer
from .evaluate import Batches, Evaluation, as_batch, evaluate, hits, loader
from .optimizers import Optimizer
from .step import TrainStep
from .waiting import Waiting


@dataclass(frozen=True)
class State:
    """What a callback sees: ``event`` is "step" (every k steps) or "epoch" (at its end).

    ``loss`` and ``accuracy`` are means over the steps since the last event of the kind, ``losses``
    their losses one by one; ``step`` counts from 1, and ``lr`` is its learning rate. ``waiting`` is
    the share of the time that went into waiting for data.
    """

    trainer: "Trainer"
    event: str
    epoch: int
    step: int
    loss: float
    accuracy: float
    lr: float
    images_per_s: float
    losses: tuple[float, ...]
    waiting: float = 0.0


Callback = Callable[[State], None]


class Trainer:
    """Trains a net: ``fit`` runs epochs, ``evaluate`` measures; a hook is ``callback(state)``.

    The loss (default CrossEntropyLoss) is read every ``read_every`` steps, since reading makes the
    host wait for the device. Set ``stop = True`` (from a callback, say) to end after a step.
    """

    def __init__(
        self,
        net: Layer,
        optimizer: Optimizer,
        loss: Layer | None = None,
        *,
        seed: int = 0,
        read_every: int = 10,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.net, self.optimizer, self.loss = net, optimizer, loss or CrossEntropyLoss()
        self.step = TrainStep(net, self.loss, optimizer, seed=seed)
        self.seed, self.callbacks = seed, list(callbacks)
        self.read_every = integer(read_every, "Trainer: read_every", 1)
        self.stop, self.epochs = False, 0
        self._good: list[Snapshot] = []
        self._waiting = Waiting()

    def fit(
        self,
        data: "Dataset | Batches",
        epochs: int = 1,
        batch_size: int = 64,
        *,
        max_steps: int | None = None,
        augment: Any = None,
        skip: int = 0,
    ) -> "Trainer":
        """Train for ``epochs`` over a dataset, or over an iterable of (images, labels).

        A dataset is shuffled anew each epoch, in a later call too: ``Trainer.epochs`` counts on.
        ``max_steps`` counts the steps of this call. ``skip`` leaves out so many batches of the
        first epoch: those before the place where training was interrupted.

        Raises NonFiniteLossError when the loss becomes NaN or infinite, the net set back to its
        last good state; DataError when there is no batch.
        """
        last = None
        if max_steps is not None:
            last = self.step.steps + integer(max_steps, "fit: max_steps", 1)
        options = {"shuffle": True, "augment": augment, "seed": self.seed}
        batches = loader(self.net, data, batch_size, **options)
        self._good, left_out = [], integer(skip, "fit: skip", 0)
        try:
            for _ in range(integer(epochs, "fit: epochs", 1)):
                if hasattr(batches, "set_epoch"):
                    batches.set_epoch(self.epochs)
                self.epochs += 1
                if not self._epoch(self.epochs, islice(batches, left_out, None), last):
                    break
                left_out = 0
        finally:
            self.stop = False
        return self

    def _epoch(self, epoch: int, batches: "Batches", last: int | None) -> bool:
        """One pass over the batches; False when training is to end."""
        window, whole = Tally(), Tally()
        for images, labels in map(as_batch, self._waiting.over(batches)):
            if not window.losses:
                self._remember()
            window.add(self.step(images, labels), self.step.prediction, labels)
            self.stop |= self.step.steps == last
            if len(window.losses) == self.read_every or self.stop:
                whole.take(self._read(window, epoch))
                window = Tally()
            if self.stop:
                break
        if window.losses:
            whole.take(self._read(window, epoch))
        if not whole.losses:
            raise DataError("fit: the data gave no batch; give it at least one")
        self._tell(self._state("epoch", epoch, whole))
        return not self.stop

    def _read(self, window: "Tally", epoch: int) -> "Tally":
        """Read the losses of a window, checking them, and tell the callbacks."""
        window.read()
        window.waited = self._waiting.taken()
        first = self.step.steps - len(window.losses) + 1
        for number, loss in enumerate(window.losses):
            if not isfinite(loss):
                finite = tuple(enumerate(window.losses[:number], first))
                where = f"the loss is {loss} at step {first + number} (epoch {epoch})"
                self.give_up(where, self._good[-1 if number else 0], finite, epoch)
        self._tell(self._state("step", epoch, window))
        return window

    def _state(self, event: str, epoch: int, tally: "Tally") -> State:
        return State(
            self,
            event,
            epoch,
            self.step.steps,
            float(np.mean(tally.losses)),
            tally.hits / max(tally.labels, 1),
            self.optimizer.last_lr or 0.0,
            tally.images / (perf_counter() - tally.start),
            tuple(tally.losses),
            min(tally.waited / (perf_counter() - tally.start), 1.0),
        )

    def _tell(self, state: State) -> None:
        for callback in self.callbacks:
            callback(state)

    def _remember(self) -> None:
        """Keep the state before this window and before the last one."""
        self._good = self._good[-1:]  # the oldest goes first: each is as large as the net and more
        self._good.append(Snapshot(self.net, self.optimizer))

    def give_up(
        self,
        where: str,
        good: "Snapshot | None" = None,
        finite: tuple[tuple[int, float], ...] = (),
        epoch: int = 0,
    ) -> None:
        """Set the net back to a state whose loss was finite, and say ``where`` it broke.

        Raises NonFiniteLossError, which carries ``finite`` and ``epoch``. The state is ``good``,
        else that before the last loss reading.
        """
        good = good or self._good[-1]
        good.restore(self.net, self.optimizer)
        raise NonFiniteLossError(
            f"training: {where}; the net was set back to its state after step {good.steps}. Try a "
            f"lower learning rate ({self.optimizer.lr:g} there), a warm-up, or clip_norm",
            finite,
            epoch,
        )

    def evaluate(self, data: "Dataset | Batches", batch_size: int = 256) -> Evaluation:
        """Loss and accuracy on data that is not trained on."""
        return evaluate(self.net, data, loss=self.loss, batch_size=batch_size)


class Tally:
    """Losses, hits and images of some steps; device arrays until ``read``."""

    def __init__(self) -> None:
        self.losses: list[Any] = []
        self.results: list[tuple[Any, np.ndarray]] = []
        self.images = self.labels = self.hits = 0
        self.waited = 0.0
        self.start = perf_counter()

    def add(self, loss: Any, prediction: Any, labels: np.ndarray) -> None:
        """Note a step; classifications are counted when it is read."""
        self.losses.append(loss)
        self.images += len(prediction)
        self.results.append((prediction, labels))

    def read(self) -> None:
        """Wait for the device: losses become numbers, predictions are compared with labels."""
        self.losses = [float(devices.to_numpy(loss)) for loss in self.losses]
        for prediction, labels in self.results:
            right, labelled = hits(prediction, labels)
            self.hits, self.labels = self.hits + right, self.labels + labelled
        self.results = []

    def take(self, other: "Tally") -> None:
        """Add what another tally has read."""
        self.losses += other.losses
        self.images += other.images
        self.labels += other.labels
        self.hits += other.hits
        self.waited += other.waited


class Snapshot:
    """A copy of the values of a net and its optimiser."""

    def __init__(self, net: Layer, optimizer: Optimizer) -> None:
        self.values = {name: a.copy() for name, a in net.state_dict().items()}
        self.optimizer = optimizer.state_dict()
        self.steps = optimizer.steps

    def restore(self, net: Layer, optimizer: Optimizer) -> None:
        """Put the values back."""
        net.load_state_dict(self.values)
        optimizer.load_state_dict(self.optimizer)
