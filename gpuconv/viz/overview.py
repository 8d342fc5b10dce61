"""One picture of a run: its loss, its first filters, what they see, and what it gets wrong.

``python -m gpuconv.viz.overview RUN PICTURE.png``
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import device as devices
from ..data import open_dataset
from ..errors import GpuconvError, OptionError, RunError
from ..graph import Graph
from ..layers import Conv2d, Layer
from ..training.checkpoint import METRICS, Run
from ..training.evaluate import Batches, loader
from ..training.step import InferenceStep

SHOWN = 16  # filters, maps and mistakes at most


def losses(run: Run) -> tuple[list[int], list[float]]:
    """Steps and losses of a run; raises RunError if its metrics cannot be read."""
    path = run.folder / METRICS
    try:
        records = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    steps = [record for record in records if "loss" in record]
    return [r["step"] for r in steps], [r["loss"] for r in steps]


def first_convolution(layer: Layer) -> Conv2d | None:
    """The first Conv2d of a net, in node order, or None."""
    if isinstance(layer, Conv2d):
        return layer
    found = (first_convolution(child) for child in layer.children().values())
    return next((conv for conv in found if conv is not None), None)


def mistakes(net: Graph, batches: Batches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to SHOWN wrongly classified images (as the net sees them), labels and predictions."""
    images, labels, guesses = [], [], []
    step = InferenceStep(net)
    for x, target in batches:
        guess = devices.to_numpy(step(x)).argmax(1)
        wrong = guess != target
        images.append(x[wrong])
        labels.append(target[wrong])
        guesses.append(guess[wrong])
        if sum(map(len, images)) >= SHOWN:
            break
    return tuple(np.concatenate(a)[:SHOWN] for a in (images, labels, guesses))  # type: ignore[return-value]


def _picture(array: np.ndarray) -> np.ndarray:
    """(C, H, W) as an image: three channels as colour, else the first in grey."""
    shown = array.transpose(1, 2, 0) if len(array) == 3 else array[0]
    low, high = float(shown.min()), float(shown.max())
    return (shown - low) / ((high - low) or 1.0)


def _grid(figure: Any, title: str, tiles: list[np.ndarray], captions: list[str]) -> None:
    """Small pictures in two rows."""
    figure.suptitle(title, fontsize=11)
    if not tiles:
        figure.text(0.5, 0.5, "none", ha="center")
        return
    axes = figure.subplots(2, -(-len(tiles) // 2), squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, tile, caption in zip(axes, tiles, captions, strict=False):
        axis.imshow(_picture(tile), cmap="gray", interpolation="nearest")
        axis.set_title(caption, fontsize=9, pad=2)


def _curve(figure: Any, run: Run) -> None:
    steps, values = losses(run)
    axis = figure.subplots()
    axis.plot(steps, values, color="tab:blue", alpha=0.25, linewidth=0.8)
    width = max(1, len(values) // 50)
    if len(values) >= width:
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        axis.plot(steps[width - 1 :], smooth, color="tab:blue", linewidth=1.8)
    axis.set(yscale="log", xlabel="step", ylabel="training loss")
    axis.grid(alpha=0.3)
    accuracy = run.info.get("final", {}).get("test_accuracy")
    reached = "" if accuracy is None else f", test accuracy {accuracy:.4f}"
    figure.suptitle(f"{run.info['model']['name']}{reached}", fontsize=11)


def overview(folder: str | os.PathLike, picture: str | os.PathLike) -> None:
    """Draw the run in ``folder`` into the file ``picture`` (its ending says the format).

    Raises RunError for a folder that is no run, OptionError where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError(
            "overview: pictures need matplotlib; pip install 'gpuconv[plot]'"
        ) from None
    run = Run.open(folder)
    net = run.net()
    classes = run.info["classes"]
    batches = loader(net, open_dataset(run.info["data"], "test"), 256)
    images, labels, guesses = mistakes(net, batches)
    conv = first_convolution(net)
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    (top_left, top_right), (low_left, low_right) = np.asarray(figure.subfigures(2, 2))
    _curve(top_left, run)
    if conv is not None:
        filters = list(devices.to_numpy(conv.weight.value)[:SHOWN])
        _grid(top_right, "filters of the first convolution", filters, [""] * len(filters))
        sample = next(iter(batches))[0][:1]
        maps = devices.to_numpy(conv(sample))[0][:SHOWN]
        tiles = [sample[0], *(plane[None] for plane in maps)]
        _grid(low_left, "a test image and what they see in it", tiles, [""] * len(tiles))
    captions = [f"{classes[a]} as {classes[b]}" for a, b in zip(labels, guesses, strict=True)]
    _grid(low_right, "test images it gets wrong", list(images), captions)
    figure.savefig(Path(picture), dpi=110)


def main() -> None:
    """``RUN PICTURE`` from the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m gpuconv.viz.overview RUN PICTURE.png")
    try:
        overview(*sys.argv[1:])
    except GpuconvError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
