"""Loss and accuracy of a net on data it is not trained on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .. import device as devices
from ..data import Loader
from ..data.dataset import Dataset
from ..errors import DataError
from ..layers import CrossEntropyLoss, Layer
from .step import InferenceStep

Batches = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Evaluation:
    """Mean loss, share of images whose largest output is their label, and how many there were."""

    loss: float
    accuracy: float
    images: int


def loader(
    net: Layer, data: "Dataset | Batches", batch_size: int, **options: Any
) -> "Loader | Batches":
    """A Loader over a dataset, as the net's ``input_shape``, ``mean`` and ``std`` ask for.

    A net without them gets the dataset's own image shape and values in [0, 1]. What is not a
    dataset must already be an iterable of (images, labels) and is returned as it is.
    """
    if not hasattr(data, "classes"):
        return cast(Batches, data)
    dataset = cast(Dataset, data)
    shape = getattr(net, "input_shape", None)
    if shape is None:
        height, width, channels = dataset[0][0].shape
        shape = (channels, height, width)
    mean, std = getattr(net, "mean", 0.0), getattr(net, "std", 1.0)
    return Loader(dataset, batch_size, input_shape=shape, mean=mean, std=std, **options)


def correct(prediction: np.ndarray, labels: np.ndarray) -> int:
    """How many rows have their largest value at the label."""
    return int((devices.to_numpy(prediction).argmax(1) == labels).sum())


def evaluate(
    net: Layer,
    data: "Dataset | Batches",
    *,
    loss: Layer | None = None,
    batch_size: int = 256,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run the net over every image once; ``progress(images)`` hears of each batch.

    Raises DataError for no images, and what loader and net raise.
    """
    criterion, step = loss or CrossEntropyLoss(), InferenceStep(net)
    total, hits, count = 0.0, 0, 0
    for images, labels in loader(net, data, batch_size):
        prediction = step(images)
        target = devices.to_device(labels, devices.of(prediction))
        total += float(devices.to_numpy(criterion(prediction, target))) * len(labels)
        hits += correct(prediction, labels)
        count += len(labels)
        if progress is not None:
            progress(len(labels))
    if not count:
        raise DataError("evaluate: there are no images; give at least one")
    return Evaluation(total / count, hits / count, count)
