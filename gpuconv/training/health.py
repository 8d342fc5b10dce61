"""Watching a training that goes nowhere: a loss that stays at chance, dead units, gradients.

``Trainer(..., callbacks=[Watch()])``; ``gpuconv train`` watches by itself. It looks at the
gradients of one step, after 50 steps, 100, 200 and so on: its time is little beside the steps'.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from .. import device as devices
from ..layers import CrossEntropyLoss
from ..shapes import integer
from .trainer import State

FIRST = 50
NEAR = 0.01  # of ln(classes)
_RECENT = 20  # losses
_DEAD = 0.9  # of a layer's units
_VANISHED = 2.0**-24  # of the weights' norm, in one step: half a unit in float32's last place
_EXPLODED = 0.5  # of the weights' norm, in one step


@dataclass(frozen=True)
class Finding:
    """What is wrong: ``layer`` (a path of nodes, "" for the whole net), ``seen``, ``advice``."""

    layer: str
    seen: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.layer}: " if self.layer else ""
        return f"{where}{self.seen}. Try {self.advice}"


@dataclass(frozen=True)
class _Weight:
    """A layer's weight and its gradient, in numbers."""

    layer: str
    units: int
    still: int  # units whose weights and bias have no gradient at all
    value: float
    gradient: float  # root mean squares


class Watch:
    """A callback of Trainer that tells each Finding once, by ``tell`` (default: a log warning)."""

    def __init__(self, tell: Callable[[Finding], Any] | None = None, first: int = FIRST) -> None:
        self.tell = tell or _log
        self.next = self.first = integer(first, "Watch: first", 1)
        self._losses: deque[float] = deque(maxlen=_RECENT)
        self._lr, self._early = 0.0, False
        self._told: set[tuple[str, str]] = set()

    def __call__(self, state: State) -> None:
        if state.event != "step":
            return
        self._losses.extend(state.losses)
        self._lr = max(self._lr, state.lr)  # the end of a schedule is small on purpose
        if state.step < self.next or self._asks(state):
            return
        while self.next <= state.step:
            self.next *= 2
        for kind, finding in self._look(state):
            if (kind, finding.layer) not in self._told:
                self._told.add((kind, finding.layer))
                self.tell(finding)

    def _asks(self, state: State) -> bool:
        """Whether gradients are not kept (early.py) and the next steps are asked to keep them."""
        step = state.trainer.step
        parameters = state.trainer.net.parameters()
        if step.early and any(p.trainable and p.grad is None for p in parameters):
            step.early, self._early = False, True
            return True
        step.early, self._early = step.early or self._early, False
        return False

    def _look(self, state: State) -> list[tuple[str, Finding]]:
        weights = _weights(state.trainer.net)
        found = [("dead", each) for each in dead(weights, state.step)]
        found += [("gradient", each) for each in gradients(weights, self._lr, state.step)]
        prediction = state.trainer.step.prediction
        if state.step >= 2 * self.first and isinstance(state.trainer.loss, CrossEntropyLoss):
            loss = float(np.mean(self._losses))
            found += [("loss", each) for each in chance(loss, prediction.shape[1], state)]
        return found


def _log(finding: Finding) -> None:
    logging.getLogger("gpuconv").warning("%s", finding)


def chance(loss: float, classes: int, state: State) -> list[Finding]:
    """A loss within 1 % of ln(classes): what a net gives that knows nothing."""
    blind = log(classes)
    if classes < 2 or abs(loss - blind) > NEAR * blind:
        return []
    seen = f"after {state.step} steps the loss is {loss:.4f}, as of a net that guesses among "
    return [
        Finding(
            "",
            f"{seen}{classes} classes (ln {classes} = {blind:.4f}; learning rate {state.lr:g})",
            "a learning rate ten times lower, and ten times higher; first values of larger "
            "deviation, as the model's own without --recipe; labels that fit their images "
            "(gpuconv data); and more steps: a deep net without normalisation may begin late",
        )
    ]


def dead(weights: list[_Weight], step: int) -> list[Finding]:
    """Layers of which nearly no unit has a gradient: rectifiers that let nothing through."""
    return [
        Finding(
            each.layer,
            f"{each.still} of {each.units} units had no gradient in step {step}: the rectifiers "
            "behind them are dead, or what follows is",
            "a lower learning rate or a warm-up (a step that was too large killed them), biases of "
            "0.1 or 1 at the start, or LeakyReLU",
        )
        for each in weights
        if each.still >= _DEAD * each.units
    ]


def gradients(weights: list[_Weight], lr: float, step: int) -> list[Finding]:
    """Layers whose weights a step moves by less than float32 holds, or by half their size."""
    found = []
    for each in weights:
        if not each.value or each.still >= _DEAD * each.units:
            continue
        share = lr * each.gradient / each.value
        if share < _VANISHED:
            seen = (
                f"step {step} moves its weights by {share:.1e} of their size, less than float32 "
                f"holds (gradient {each.gradient:.1e}, learning rate {lr:g}): it vanishes"
            )
            found.append(Finding(each.layer, seen, _VANISHING))
        elif not share <= _EXPLODED:
            seen = f"step {step} moves its weights by {share:.1f} times their size: it explodes"
            found.append(Finding(each.layer, seen, _EXPLODING))
    return found


_VANISHING = (
    "a higher learning rate where every layer says so; else batch normalisation, shortcuts as in a "
    "ResNet, or first values of larger deviation (Kaiming)"
)
_EXPLODING = "a lower learning rate, --clip-norm 1, or first values of smaller deviation"


def _weights(net: Any) -> list[_Weight]:
    parameters = dict(net.named_parameters())
    found = []
    for name, parameter in parameters.items():
        layer, _, own = name.rpartition(".")
        if own != "weight" or len(parameter.shape) < 2 or parameter.grad is None:
            continue
        gradient = devices.to_numpy(parameter.grad).reshape(parameter.shape[0], -1)
        moving: np.ndarray = np.asarray(gradient.any(1))
        bias = parameters.get(f"{layer}.bias")
        if bias is not None and bias.grad is not None and bias.shape == moving.shape:
            moving = moving | (devices.to_numpy(bias.grad) != 0)
        units = len(moving)
        still = units - int(moving.sum())
        value = _root_mean_square(devices.to_numpy(parameter.value))
        found.append(_Weight(layer, units, still, value, _root_mean_square(gradient)))
    return found


def _root_mean_square(array: np.ndarray) -> float:
    flat = array.reshape(-1)
    return float(np.sqrt(np.dot(flat, flat) / max(flat.size, 1)))
