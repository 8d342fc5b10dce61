"""From numbers of samples to a batch of uint8 images that fit a net, augmented."""

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..random import AUGMENT, Stream
from .dataset import ArrayDataset, Dataset, check_labels, title
from .inputs import NetInput, check_image, check_pair
from .transforms import Augmentation, augment

Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class BatchReader:
    """Reads samples of a data set; the same sample of an epoch has the same bits wherever read."""

    dataset: Dataset
    net_input: NetInput
    augmentations: tuple[Augmentation, ...]
    seed: int

    def __call__(self, epoch: int, samples: np.ndarray) -> Batch:
        """Images uint8 (B, H, W, C) and labels int64 (B,) of these samples.

        Raises DataError as Loader says.
        """
        images, labels = self._read(samples)
        check_labels(title(self.dataset), labels, len(self.dataset.classes), samples)
        words = [
            Stream(self.seed, epoch, AUGMENT + number).quads(samples)
            for number in range(len(self.augmentations))
        ]
        return augment(images, list(self.augmentations), words), labels

    def _read(self, samples: np.ndarray) -> Batch:
        dataset = self.dataset
        if isinstance(dataset, ArrayDataset):
            return self.net_input.fit_batch(dataset.images[samples]), dataset.labels[samples]
        images, labels = [], np.empty(len(samples), np.int64)
        name = title(dataset)
        for position, sample in enumerate(samples.tolist()):
            image, label = check_pair(name, sample, dataset[sample])
            labels[position] = label
            images.append(self.net_input.fit(check_image(name, sample, image)))
        return np.stack(images), labels

    def places(self, samples: np.ndarray, most: int = 3) -> str:
        """What messages call some samples of a batch."""
        place = getattr(self.dataset, "place", lambda k: f"{title(self.dataset)}: sample {k}")
        shown = ", ".join(str(place(sample)) for sample in samples[:most].tolist())
        return shown + (f" and {len(samples) - most} more" if len(samples) > most else "")


def check_dataset(dataset: Dataset) -> None:
    """Raise DataError for one without samples."""
    if not len(dataset):
        raise DataError(f"{title(dataset)}: the dataset has no samples; give it at least one")
