"""What PyTorch computes, in float64, for every net by name: a few of its outputs, in a file.

``python tests/golden_nets.py`` writes golden_nets.json beside this file; it needs PyTorch, which
the tests do not. Weights, running statistics and images are functions of seeds.
"""

import json
from pathlib import Path

import numpy as np

from gpuconv import models
from gpuconv.random import Stream

FILE = Path(__file__).with_suffix(".json")
SHOWN = 7
# Nets that take images of any size get small ones.
ANY_SIZE = ("plain", "resnet", "squeezenet", "vgg")


def prepared(name):
    """The net, in evaluation the same as in training but for batch normalisation."""
    net = models.create(name, dropout=0.0, seed=11)
    for number, parameter in enumerate(net.parameters()):
        values = parameter.value  # drawn now, in float32, whatever the net is converted to
        if values.ndim == 1:
            parameter.value = _moved(values, Stream(12, number), 0.1)
    for number, (key, buffer) in enumerate(net.named_buffers()):
        if key.endswith("running_mean"):
            buffer.value = _moved(buffer.value, Stream(13, number), 0.1)
        elif key.endswith("running_var"):
            buffer.value = Stream(13, number).uniform(buffer.shape, 0.5, 1.5).astype(np.float32)
    return net


def _moved(values, stream, std):
    return (values + stream.normal(values.shape, std)).astype(np.float32)


def images(name):
    """Two images of the size that the net takes, or of 64 x 64."""
    channels, height, width = models.get(name).input_shape
    if height > 64 and name.startswith(ANY_SIZE):
        height = width = 64
    return Stream(14).normal((2, channels, height, width)).astype(np.float32)


def modes(net):
    """Evaluation; and training, where that is another function."""
    normed = any(key.endswith("running_var") for key, _ in net.named_buffers())
    return ("eval", "train") if normed else ("eval",)


def shown(logits):
    """Some outputs for each image, the first and the last among them, and their largest size."""
    at = np.linspace(0, logits.shape[1] - 1, SHOWN).astype(int)
    return {"at": at.tolist(), "logits": logits[:, at].tolist(), "size": float(abs(logits).max())}


def pytorch(name):
    """The figures of one net, computed by PyTorch."""
    import torch

    from gpuconv.benchmarks.cpu_vs_peers.torch_net import translate

    net = prepared(name)
    twin, x = translate(net, channels_last=False).double(), torch.from_numpy(images(name)).double()
    with torch.no_grad():
        return {mode: shown(twin.train(mode == "train")(x).numpy()) for mode in modes(net)}


def main():
    """Write the file, a line for each net and mode."""
    import torch

    lines = []
    for name in models.models():
        figures = pytorch(name)
        parts = (f'  "{mode}": {json.dumps(found)}' for mode, found in figures.items())
        lines.append(f' "{name}": {{\n' + ",\n".join(parts) + "\n }")
        print(name, flush=True)
    head = f' "made by": "PyTorch {torch.__version__}, float64",\n'
    FILE.write_text("{\n" + head + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
