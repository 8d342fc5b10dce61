"""Batches of a dataset in the form that a net takes."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ..errors import DataError, OptionError
from ..random import AUGMENT, SHUFFLE, Stream
from ..shapes import integer
from .dataset import ArrayDataset, Dataset, check_labels, title
from .inputs import NetInput, Statistic, check_image, check_pair
from .prefetch import prefetch
from .transforms import Augmentation, augment

Batch = tuple[np.ndarray, np.ndarray]


class Loader:
    """Iterates over (images float32 (B, C, H, W), labels int64 (B,)), NumPy arrays.

    Images are resized to ``input_shape`` (C, H, W) and given its channels where they differ (said
    in ``messages``), augmented, and become (x / 255 - mean) / std; ``order`` and ``resize`` are as
    in ``Preprocessing``. ``augment`` is one augmentation or several, applied in turn. The order of
    samples and the augmentation of each follow from ``seed``, the epoch and the sample alone,
    whatever the batch size. ``workers=1`` makes one batch ahead in a thread; 0 makes each when it
    is asked for. Image files are read batch by batch.

    Raises OptionError for a bad option; ShapeError for channels that cannot be made to fit;
    DataError for an empty dataset, a label outside its classes or an image that is not uint8
    (H, W, C), naming the sample, and what the dataset raises.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        input_shape: Sequence[int],
        mean: Statistic,
        std: Statistic,
        order: str = "RGB",
        resize: int | None = None,
        shuffle: bool = False,
        augment: Augmentation | Sequence[Augmentation] | None = None,
        seed: int = 0,
        drop_last: bool = False,
        workers: int = 1,
    ) -> None:
        self.dataset = dataset
        self.batch_size = integer(batch_size, "Loader: batch_size", 1)
        self.net_input = NetInput(input_shape, mean, std, order, resize)
        self.shuffle = shuffle
        self.augmentations = _augmentations(augment)
        self.seed = Stream(integer(seed, "Loader: seed", 0)).seed
        self.drop_last = drop_last
        self.workers = integer(workers, "Loader: workers", 0)
        self.epoch = 0
        self._check()
        self.messages = self._messages()

    def __len__(self) -> int:
        """Batches in an epoch."""
        extra = 0 if self.drop_last else self.batch_size - 1
        return (len(self.dataset) + extra) // self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentation of the next iteration (it does not by itself)."""
        self.epoch = integer(epoch, "Loader: epoch", 0)

    def __iter__(self) -> Iterator[Batch]:
        make = partial(self._batch, self._words())
        batches = self._batches()
        return prefetch(make, batches) if self.workers else map(make, batches)

    def _check(self) -> None:
        name, samples = title(self.dataset), len(self.dataset)
        if self.workers > 1:
            raise OptionError(f"Loader: workers must be 0 or 1, got {self.workers}")
        if not samples:
            raise DataError(f"{name}: the dataset has no samples; give it at least one")
        if not len(self):
            raise OptionError(
                f"Loader: drop_last leaves no batch: batch_size {self.batch_size} but {name} has "
                f"{samples} samples; use a smaller batch_size or drop_last=False"
            )
        if isinstance(self.dataset, ArrayDataset):
            self.net_input.fit(self.dataset.images[0])

    def _messages(self) -> list[str]:
        dataset = self.dataset
        shape = dataset.images.shape[1:] if isinstance(dataset, ArrayDataset) else None
        skipped = getattr(dataset, "skipped", 0)
        left_out = [f"unreadable images left out: {skipped}"] if skipped else []
        return self.net_input.messages(shape) + left_out

    def _batches(self) -> list[np.ndarray]:
        count = len(self.dataset)
        stream = Stream(self.seed, self.epoch, SHUFFLE)
        order = stream.permutation(count) if self.shuffle else np.arange(count)
        return [order[k * self.batch_size : (k + 1) * self.batch_size] for k in range(len(self))]

    def _words(self) -> list[np.ndarray]:
        count = len(self.dataset)
        return [
            Stream(self.seed, self.epoch, AUGMENT + number).words(4 * count).reshape(count, 4)
            for number in range(len(self.augmentations))
        ]

    def _batch(self, words: list[np.ndarray], samples: np.ndarray) -> Batch:
        images, labels = self._read(samples)
        images = augment(images, self.augmentations, [each[samples] for each in words])
        return self.net_input.floats(images), labels

    def _read(self, samples: np.ndarray) -> Batch:
        dataset = self.dataset
        if isinstance(dataset, ArrayDataset):
            images, labels = dataset.images[samples], dataset.labels[samples]
            images = self.net_input.fit_batch(images)
        else:
            images, labels = self._decode(samples)
        check_labels(title(dataset), labels, len(dataset.classes), samples)
        return images, labels

    def _decode(self, samples: np.ndarray) -> Batch:
        images, labels = [], np.empty(len(samples), np.int64)
        name = title(self.dataset)
        for position, sample in enumerate(samples.tolist()):
            image, label = check_pair(name, sample, self.dataset[sample])
            labels[position] = label
            images.append(self.net_input.fit(check_image(name, sample, image)))
        return np.stack(images), labels


def _augmentations(given: Augmentation | Sequence[Augmentation] | None) -> list[Augmentation]:
    if given is None:
        return []
    steps = [given] if callable(given) else list(given)
    for step in steps:
        if not callable(step):
            raise OptionError(f"Loader: augment must be callable or several that are, got {step!r}")
    return steps
