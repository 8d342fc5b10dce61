"""Loss and accuracy of a net on data it is not trained on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from .. import device as devices
from .. import ops
from ..data import Loader
from ..data.crops import Crop
from ..data.dataset import Dataset
from ..errors import DataError, OptionError
from ..layers import CrossEntropyLoss, Layer
from .step import InferenceStep

Batches = Iterable[tuple[np.ndarray, np.ndarray]]

BATCH = 256  # images, where nobody says how many


@dataclass(frozen=True)
class Evaluation:
    """Mean loss, share of labels that the largest output hits (0 without classes), image count."""

    loss: float
    accuracy: float
    images: int


def loader(
    net: Layer, data: "Dataset | Batches", batch_size: int, **options: Any
) -> "Loader | Batches":
    """A Loader over a dataset, as the net's ``input_shape``, ``mean``, ``std``, ... ask for.

    A net without them gets the dataset's own image shape and values in [0, 1]. What is not a
    dataset must already be an iterable of (images, labels) and is returned as it is. Raises
    DataError for what is neither.
    """
    if not hasattr(data, "classes"):
        if not isinstance(data, Iterable):
            raise DataError(
                f"expected a dataset, as gpuconv.data.mnist('train') gives, or an iterable of "
                f"(images, labels); got {data!r}"
            )
        return data
    dataset = cast(Dataset, data)
    shape = getattr(net, "input_shape", None)
    if shape is None:
        height, width, channels = dataset[0][0].shape
        shape = (channels, height, width)
    default = {"mean": 0.0, "std": 1.0, "order": "RGB", "resize": None}
    options |= {name: getattr(net, name, value) for name, value in default.items()}
    return Loader(dataset, batch_size, input_shape=shape, **options)


def as_batch(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """A batch as (images, labels); raises DataError for anything else."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise DataError(f"expected batches of (images, labels), got one that is {batch!r:.80}")
    return batch[0], batch[1]


def hits(prediction: Any, labels: Any) -> tuple[int, int]:
    """How many labels are the class with the largest output, and how many labels there are.

    Shapes: prediction (N, K, ...), labels (N, ...); (0, 0) for labels that are no class numbers.
    """
    shape = prediction.shape[:1] + prediction.shape[2:]
    if prediction.ndim < 2 or labels.shape != shape or labels.dtype.kind not in "iu":
        return 0, 0
    found = devices.to_numpy(prediction).argmax(1) == devices.to_numpy(labels)
    return int(found.sum()), found.size


def averaged(prediction: Any, views: int) -> Any:
    """(B * views, K) outputs of the views of B images: (B, K), log of the mean probability.

    Krizhevsky, Sutskever and Hinton (2012), section 4.1.
    """
    probabilities = devices.to_numpy(ops.softmax(prediction))
    mean = probabilities.reshape(-1, views, probabilities.shape[1]).mean(1)
    floor = np.finfo(mean.dtype).tiny
    return devices.to_device(np.log(mean.clip(floor)), devices.of(prediction))


def evaluate(
    net: Layer,
    data: "Dataset | Batches",
    *,
    loss: Layer | None = None,
    batch_size: int = BATCH,
    crop: Crop | None = None,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run the net over every image once; ``progress(images)`` hears of each batch.

    ``crop`` is the Loader's. Of one with several views (``gpuconv.data.TenCrop``) the probabilities
    are averaged, and the loss is that of their logarithm.

    Raises OptionError for what is no net or loss, DataError for no images or what is no data, and
    what loader and net raise.
    """
    if loss is not None and not isinstance(loss, Layer):
        raise OptionError(f"evaluate: expected a loss, got {loss!r}")
    criterion, step = loss or CrossEntropyLoss(), InferenceStep(net)
    total, right, labelled, count = 0.0, 0, 0, 0
    views = 1 if crop is None else crop.views
    for images, labels in map(as_batch, loader(net, data, batch_size, crop=crop)):
        prediction = step(images)
        if views > 1:
            prediction = averaged(prediction, views)
        target = devices.to_device(labels, devices.of(prediction))
        total += float(devices.to_numpy(criterion(prediction, target))) * len(labels)
        batch_right, batch_labelled = hits(prediction, labels)
        right, labelled = right + batch_right, labelled + batch_labelled
        count += len(labels)
        if progress is not None:
            progress(len(labels))
    if not count:
        raise DataError("evaluate: there are no images; give at least one")
    return Evaluation(total / count, right / max(labelled, 1), count)
