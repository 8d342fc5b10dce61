"""From numbers of samples to a batch of uint8 images that fit a net, augmented."""

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..random import AUGMENT, CROP, Stream
from .crops import Crop
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
    crop: Crop | None = None

    @property
    def views(self) -> int:
        """How many images it makes of a sample; they lie one behind the other."""
        return 1 if self.crop is None else self.crop.views

    def __call__(self, epoch: int, samples: np.ndarray) -> Batch:
        """Images uint8 (B * views, H, W, C) and labels int64 (B,) of these samples.

        Raises DataError as Loader says.
        """
        images, labels = self._read(epoch, samples)
        check_labels(title(self.dataset), labels, len(self.dataset.classes), samples)
        words = [
            Stream(self.seed, epoch, AUGMENT + number).quads(samples)
            for number in range(len(self.augmentations))
        ]
        return augment(images, list(self.augmentations), words), labels

    def _read(self, epoch: int, samples: np.ndarray) -> Batch:
        dataset, name = self.dataset, title(self.dataset)
        if isinstance(dataset, ArrayDataset) and self.crop is None:
            return self.net_input.fit_batch(dataset.images[samples]), dataset.labels[samples]
        words = Stream(self.seed, epoch, CROP).quads(samples)
        images, labels = [], np.empty(len(samples), np.int64)
        for position, sample in enumerate(samples.tolist()):
            image, label = check_pair(name, sample, dataset[sample])
            labels[position] = label
            fitting = check_image(name, sample, image)
            try:
                images.append(self._fit(fitting, words[position]))
            except DataError as error:
                where = self.places(samples[position : position + 1])
                raise DataError(f"{where}: {error}") from None
        return np.concatenate(images), labels

    def _fit(self, image: np.ndarray, words: np.ndarray) -> np.ndarray:
        """uint8 (views, H, W, C)."""
        take = self.net_input
        if self.crop is None:
            return take.fit(image)[None]
        return take.recoloured(self.crop(image, words, take.height, take.width))

    def places(self, samples: np.ndarray, most: int = 3) -> str:
        """What messages call some samples of a batch."""
        place = getattr(self.dataset, "place", lambda k: f"{title(self.dataset)}: sample {k}")
        shown = ", ".join(str(place(sample)) for sample in samples[:most].tolist())
        return shown + (f" and {len(samples) - most} more" if len(samples) > most else "")


def check_dataset(dataset: Dataset) -> None:
    """Raise DataError for one without samples."""
    if not len(dataset):
        raise DataError(f"{title(dataset)}: the dataset has no samples; give it at least one")
