"""Batches of a dataset in the form that a net takes."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ..errors import OptionError
from ..random import SHUFFLE, Stream
from ..shapes import integer
from .crops import Crop
from .dataset import ArrayDataset, Dataset, title
from .inputs import NetInput, Statistic
from .prefetch import prefetch
from .readers import Readers
from .reading import Batch, BatchReader, check_dataset
from .transforms import Augmentation


class Loader:
    """Iterates over (images float32 (B, C, H, W), labels int64 (B,)), NumPy arrays.

    Images are resized to ``input_shape`` (C, H, W) and given its channels where they differ (said
    in ``messages``), augmented, and become (x / 255 - mean) / std; ``order`` and ``resize`` are as
    in ``Preprocessing``. ``crop`` (crops.py) takes the place of resizing; TenCrop gives (10 B, C,
    H, W). ``augment`` is one augmentation or several, applied in turn to RGB. The order of samples
    and the augmentation of each follow from ``seed``, the epoch and the sample alone, whatever the
    batch size. ``workers=1`` makes one batch ahead in a thread, 0 makes each when it is asked for,
    and a higher number reads in so many processes, into memory that they share; one that is killed
    is replaced.

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
        crop: Crop | None = None,
        augment: Augmentation | Sequence[Augmentation] | None = None,
        seed: int = 0,
        drop_last: bool = False,
        workers: int = 1,
    ) -> None:
        self.dataset = dataset
        self.batch_size = integer(batch_size, "Loader: batch_size", 1)
        self.net_input = NetInput(input_shape, mean, std, order, resize)
        self.shuffle = shuffle
        self.crop = crop
        self.augmentations = _augmentations(augment)
        self.seed = Stream(integer(seed, "Loader: seed", 0)).seed
        self.drop_last = drop_last
        self.workers = integer(workers, "Loader: workers", 0)
        self.epoch = 0
        self._check()
        self.messages = self._messages()
        self._read = BatchReader(
            dataset, self.net_input, tuple(self.augmentations), self.seed, crop
        )
        self._readers = (
            Readers(self._read, self.workers, self.batch_size) if self.workers > 1 else None
        )

    def __len__(self) -> int:
        """Batches in an epoch."""
        extra = 0 if self.drop_last else self.batch_size - 1
        return (len(self.dataset) + extra) // self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentation of the next iteration (it does not by itself)."""
        self.epoch = integer(epoch, "Loader: epoch", 0)

    def __iter__(self) -> Iterator[Batch]:
        batches = self._batches()
        if self._readers is not None:
            return self._from_processes(self._readers, self.epoch, batches)
        make = partial(self._batch, self.epoch)
        return prefetch(make, batches) if self.workers else map(make, batches)

    def _from_processes(
        self, readers: Readers, epoch: int, batches: list[np.ndarray]
    ) -> Iterator[Batch]:
        queue = readers.queue(epoch, batches)
        try:
            yield from prefetch(partial(queue.take, use=self._finish), range(len(batches)))
        finally:
            queue.end()

    def _check(self) -> None:
        check_dataset(self.dataset)
        name, samples = title(self.dataset), len(self.dataset)
        if not len(self):
            raise OptionError(
                f"Loader: drop_last leaves no batch: batch_size {self.batch_size} but {name} has "
                f"{samples} samples; use a smaller batch_size or drop_last=False"
            )
        if self.crop is not None:
            self.crop.check(self.net_input.height, self.net_input.width)
            if self.crop.views > 1 and (self.augmentations or self.workers > 1):
                raise OptionError(
                    f"Loader: {self.crop.views} views of an image are for evaluation: give no "
                    "augment, and workers 0 or 1"
                )
        if isinstance(self.dataset, ArrayDataset):
            self.net_input.fit(self.dataset.images[0])

    def _messages(self) -> list[str]:
        dataset = self.dataset
        shape = dataset.images.shape[1:] if isinstance(dataset, ArrayDataset) else None
        skipped = getattr(dataset, "skipped", 0)
        left_out = [f"unreadable images left out: {skipped}"] if skipped else []
        take = self.net_input
        if self.crop is None:
            return take.messages(shape) + left_out
        cut = self.crop.message(f"{take.height}x{take.width}")
        return [cut, *take.channel_messages(shape), *left_out]

    def _batches(self) -> list[np.ndarray]:
        count = len(self.dataset)
        stream = Stream(self.seed, self.epoch, SHUFFLE)
        order = stream.permutation(count) if self.shuffle else np.arange(count)
        return [order[k * self.batch_size : (k + 1) * self.batch_size] for k in range(len(self))]

    def _batch(self, epoch: int, samples: np.ndarray) -> Batch:
        return self._finish(*self._read(epoch, samples))

    def _finish(self, images: np.ndarray, labels: np.ndarray) -> Batch:
        """uint8 images, of which nothing may be kept, as the net takes them."""
        return self.net_input.floats(images), labels.copy()


def _augmentations(given: Augmentation | Sequence[Augmentation] | None) -> list[Augmentation]:
    if given is None:
        return []
    steps = [given] if callable(given) else list(given)
    for step in steps:
        if not callable(step):
            raise OptionError(f"Loader: augment must be callable or several that are, got {step!r}")
    return steps
