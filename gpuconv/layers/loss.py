"""Losses: layers of (prediction, target) that give a 0-d array, the mean over the batch."""

from typing import Any

import numpy as np

from .. import device as devices
from .. import ops
from ..errors import OptionError
from ..random import Stream
from ..shapes import Shape, real
from .base import Layer, NeedDx, kept, require_saved, wanted


class Loss(Layer):
    """``value(prediction, target)`` and ``gradient(dloss, prediction, target)``.

    ``backward(1.0, saved)`` gives ``(dprediction, None)``.
    """

    keeps = ("x",)

    def value(self, prediction: Any, target: Any) -> Any:
        """The loss, 0-d."""
        raise NotImplementedError(f"{type(self).__name__} has no value")

    def gradient(self, dloss: Any, prediction: Any, target: Any) -> Any:
        """The gradient of the prediction."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def forward(
        self,
        prediction: Any,
        target: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """The loss; keeps prediction and target."""
        loss = self.value(prediction, target)
        return loss, ((prediction, target) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """(dprediction, None); ``dy`` is a number or a 0-d array."""
        prediction, target = require_saved(self, saved)
        if not wanted(need_dx):
            return None, None
        if isinstance(dy, int | float):
            dy = devices.to_device(np.asarray(dy, prediction.dtype), devices.of(prediction))
        return self.gradient(dy, prediction, target), None

    def output_shape(self, *shapes: Shape) -> Shape:
        """0-d."""
        return ()


class CrossEntropyLoss(Loss):
    """Softmax and negative log-likelihood in one, as torch.nn.CrossEntropyLoss.

    Shapes: prediction (N, K) or (N, K, H, W) logits, target (N,) or (N, H, W) class numbers.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        if real(label_smoothing, "CrossEntropyLoss: label_smoothing", 0.0) >= 1.0:
            raise OptionError(
                f"CrossEntropyLoss: label_smoothing must be in [0, 1), got {label_smoothing!r}"
            )
        self.label_smoothing = label_smoothing

    def value(self, prediction: Any, target: Any) -> Any:
        """Mean cross-entropy."""
        return ops.cross_entropy(prediction, target, label_smoothing=self.label_smoothing)

    def gradient(self, dloss: Any, prediction: Any, target: Any) -> Any:
        """(softmax - target) / N."""
        smooth = self.label_smoothing
        return ops.cross_entropy_backward(dloss, prediction, target, label_smoothing=smooth)


class MSELoss(Loss):
    """Mean of (prediction - target)^2 over all elements, as torch.nn.MSELoss."""

    def value(self, prediction: Any, target: Any) -> Any:
        """Mean squared error."""
        return ops.mse(prediction, target)

    def gradient(self, dloss: Any, prediction: Any, target: Any) -> Any:
        """2 (prediction - target) / size."""
        return ops.mse_backward(dloss, prediction, target)


class BCEWithLogitsLoss(Loss):
    """Mean binary cross-entropy of logits and targets in [0, 1], as torch.nn.BCEWithLogitsLoss."""

    def value(self, prediction: Any, target: Any) -> Any:
        """Mean binary cross-entropy."""
        return ops.bce_with_logits(prediction, target)

    def gradient(self, dloss: Any, prediction: Any, target: Any) -> Any:
        """(sigmoid(prediction) - target) / size."""
        return ops.bce_with_logits_backward(dloss, prediction, target)
