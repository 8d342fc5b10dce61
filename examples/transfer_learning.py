"""What LeNet-5 learned on MNIST, taken over to other digits of which there are few.

``python examples/transfer_learning.py`` trains on the embedded digits, then on 1, 5 and 20 images
of each class of UCI's 8 x 8 digits: from scratch, with frozen convolutions, and all of it.
``--write docs`` writes the figures and the picture of docs/transfer-learning.md; ``--quick`` is a
small sample of the same. Yosinski et al., "How transferable are features in deep neural networks?"
(2014).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

import gpuconv as gcv
from gpuconv.data import ArrayDataset
from gpuconv.data.images import resize
from gpuconv.random import SHUFFLE, Stream

WAYS = ("from scratch", "frozen features", "fine-tuned")
CONVOLUTIONS = ("conv1", "conv2")


def enlarged(split: str) -> ArrayDataset:
    """The 8 x 8 digits as MNIST has its own: 20 x 20 in the middle of 28 x 28."""
    small = gcv.data.optdigits(split)
    middle = np.stack([resize(image, 20, 20) for image in small.images])
    images = np.pad(middle, ((0, 0), (4, 4), (4, 4), (0, 0)))
    return ArrayDataset("optdigits", images, small.labels, small.classes)


def few(data: ArrayDataset, shots: int, seed: int) -> ArrayDataset:
    """So many images of each class, drawn at random."""
    order = Stream(seed, 0, SHUFFLE).permutation(len(data))
    of_class = [order[data.labels[order] == k][:shots] for k in range(len(data.classes))]
    chosen = np.concatenate(of_class)
    return ArrayDataset("few", data.images[chosen], data.labels[chosen], data.classes)


def trained(net: gcv.Graph, data: ArrayDataset, epochs: int, lr: float, seed: int) -> gcv.Graph:
    """The net after some epochs of SGD; what is frozen stays."""
    batch = min(64, len(data))
    rate = gcv.schedules.cosine(lr, epochs * -(-len(data) // batch))
    optimizer = gcv.SGD(net.parameters(), rate, momentum=0.9, weight_decay=5e-4)
    gcv.Trainer(net, optimizer, seed=seed).fit(data, epochs, batch_size=batch)
    return net


def start(way: str, weights: dict, seed: int) -> gcv.Graph:
    """A net as it begins: untrained, or with MNIST's weights and a new head."""
    net = gcv.models.create("lenet5", seed=seed)
    if way == "from scratch":
        return net
    net.load_state_dict(weights)
    net.replace_head(10, seed)
    return net.freeze(*CONVOLUTIONS) if way == "frozen features" else net


def measure(shots: Sequence[int], seeds: int, steps: int, base_epochs: int) -> dict:
    """Accuracy on 500 digits by way, number of images of a class, and seed."""
    began = perf_counter()
    weights, found = {}, {way: {n: [] for n in shots} for way in WAYS}
    train, test = enlarged("train"), enlarged("test")
    for seed in range(seeds):
        base = gcv.models.create("lenet5", seed=seed)
        weights = trained(base, gcv.data.mnist("train"), base_epochs, 0.05, seed).state_dict()
        for way in WAYS:
            for count in shots:
                data = few(train, count, seed)
                epochs = -(-steps // -(-len(data) // 64))
                net = trained(start(way, weights, seed), data, epochs, 0.02, seed)
                found[way][count].append(gcv.evaluate(net, test).accuracy)
    return {"accuracy": found, "test_images": len(test), "seconds": perf_counter() - began}


def table(found: dict) -> str:
    """Means over the seeds, and the lowest and highest, as a Markdown table."""
    ways = found["accuracy"]
    lines = [f"| images of a class | {' | '.join(ways)} |", "|--:|" + "--:|" * len(ways)]
    for count in next(iter(ways.values())):
        cells = (f"{np.mean(v[count]):.3f} ({min(v[count]):.3f} to {max(v[count]):.3f})"
                 for v in ways.values())  # fmt: skip
        lines.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: dict, path: Path) -> None:
    """A line for each way, through the means, a dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for way, by_count in found["accuracy"].items():
        counts = list(by_count)
        (line,) = axes.plot(counts, [np.mean(v) for v in by_count.values()], label=way)
        for count, values in by_count.items():
            axes.plot([count] * len(values), values, ".", color=line.get_color())
    axes.set(xscale="log", xlabel="training images of a class", ylabel="test accuracy")
    axes.set_xticks(counts, list(map(str, counts)), minor=False)
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=120)


def main(argv: Sequence[str] | None = None) -> dict:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, few steps")
    parser.add_argument("--write", type=Path, help="folder for transfer-learning.json and .png")
    options = parser.parse_args(argv)
    found = measure((5,), 1, 60, 1) if options.quick else measure((1, 5, 20), 3, 200, 6)
    print(table(found))
    if options.write is not None:
        text = json.dumps(found, indent=1) + "\n"
        (options.write / "transfer-learning.json").write_text(text)
        draw(found, options.write / "transfer-learning.png")
    return found


if __name__ == "__main__":
    main()
