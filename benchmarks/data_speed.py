"""How fast images become what a net takes: ``python -m gpuconv.benchmarks.data_speed FOLDER``.

A batch of 64 JPEG, PNG, ... files of FOLDER/CLASS is read, its shorter side resized to 256, and a
random 224 x 224 cut out, on one core: by a bare loop over Pillow (the rival), by gpuconv from the
files, and from the same images packed. Rivals take turns; images that cannot be read are left out.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gpuconv.data import ImageFolder, PackedImages, RandomCrop, image_folder, pack
from gpuconv.data.crops import SIDE
from gpuconv.data.dataset import Dataset
from gpuconv.data.inputs import NetInput
from gpuconv.data.reading import BatchReader

from .measure import Rivals, interleaved

BATCH, NET = 64, 224
RIVAL, FILES, PACKED = "pillow", "gpuconv from files", "gpuconv from packed"


def pillow(paths: Sequence[Path]) -> np.ndarray:
    """What a person writes first: open, convert, resize, crop; uint8 (B, 224, 224, 3)."""
    from PIL import Image

    batch = np.empty((len(paths), NET, NET, 3), np.uint8)
    places = np.random.default_rng(0)
    for k, path in enumerate(paths):
        with Image.open(path) as file:
            image = file.convert("RGB")
        factor = SIDE / min(image.size)
        width, height = (max(int(side * factor), SIDE) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = places.integers(0, (width - NET + 1, height - NET + 1)).tolist()
        batch[k] = np.asarray(image.crop((left, top, left + NET, top + NET)))
    return batch


def reader(dataset: Dataset) -> Callable[[], None]:
    """gpuconv's own batch of the same samples, with a random crop."""
    read = BatchReader(dataset, NetInput((3, NET, NET), 0.0, 1.0), (), 0, RandomCrop(SIDE))
    samples = np.arange(min(BATCH, len(dataset)))

    def call() -> None:
        read(0, samples)

    return call


def compare(folder: ImageFolder, packed: PackedImages, seconds: float) -> Rivals:
    """Seconds of a batch of each."""

    def rival() -> None:
        pillow(folder.paths[:BATCH])

    calls = {RIVAL: rival, FILES: reader(folder), PACKED: reader(packed)}
    return interleaved(calls, seconds=seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print images a second and the ratios to the rival; with --json as one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to measure")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    folder = image_folder(options.folder, skip_bad=True)
    with TemporaryDirectory() as place:
        pack({"train": folder}, place, processes=1)
        found = compare(folder, PackedImages(place, "train"), options.seconds)
    count = min(BATCH, len(folder))
    rows = {
        name: {
            "images_per_s": count / found.timing(name).median,
            "times_the_rival": 1 / found.ratio(name, RIVAL),
        }
        for name in (RIVAL, FILES, PACKED)
    }
    if options.json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        rate, share = row["images_per_s"], row["times_the_rival"]
        print(f"{name:20s} {rate:8.0f} images/s  {share:5.2f} of a bare Pillow loop")


if __name__ == "__main__":
    main()
