"""How to make and feed every layer: one row or more per class that gpuconv.layers exports."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpuconv import layers
from gpuconv.layers import Layer
from gpuconv.random import Stream

RNG = Stream(5, step=3)


@dataclass(frozen=True)
class Row:
    """A layer with its inputs; ``constant`` numbers the inputs that get no gradient."""

    layer: Callable[[], Layer]
    inputs: tuple
    constant: tuple[int, ...] = ()

    def make(self, dtype="float64"):
        """The layer, its parameters away from 0 and 1 so that no term hides."""
        layer = self.layer().initialize(3).astype(dtype)
        for number, p in enumerate(layer.parameters()):
            p.value = (p.value + 0.3 * Stream(9, number).normal(p.shape)).astype(dtype)
        for number, (name, b) in enumerate(layer.named_buffers()):
            if name.startswith("running"):
                b.value = Stream(8, number).uniform(b.shape, 0.5, 2.0).astype(dtype)
        return layer

    def feed(self, dtype="float64"):
        """Its inputs: normal values where the table gives a shape."""
        return [
            Stream(1, i).normal(x).astype(dtype)
            if isinstance(x, tuple)
            else x.astype(dtype if x.dtype.kind == "f" else x.dtype)
            for i, x in enumerate(self.inputs)
        ]


def row(layer, *inputs, constant=()):
    return Row(layer, inputs, constant)


IMAGE, ROWS = (2, 3, 5, 4), (3, 4)
LABELS = np.array([1, 0, 3])
TABLE = {
    layers.AdaptiveAvgPool2d: [
        row(lambda: layers.AdaptiveAvgPool2d(1), IMAGE),
        row(lambda: layers.AdaptiveAvgPool2d((3, None)), IMAGE),
    ],
    layers.Add: [row(layers.Add, IMAGE, IMAGE)],
    layers.AvgPool2d: [
        row(lambda: layers.AvgPool2d(2), IMAGE),
        row(lambda: layers.AvgPool2d(3, 2, 1, True, False), IMAGE),
    ],
    layers.BCEWithLogitsLoss: [
        row(layers.BCEWithLogitsLoss, ROWS, np.linspace(0, 1, 12).reshape(3, 4), constant=(1,))
    ],
    layers.BatchNorm2d: [
        row(lambda: layers.BatchNorm2d(3), IMAGE),
        row(lambda: layers.BatchNorm2d(3, frozen=True), IMAGE),
        row(lambda: layers.BatchNorm2d(4, 0.1, affine=False), ROWS),
    ],
    layers.Concat: [
        row(layers.Concat, IMAGE, (2, 1, 5, 4), (2, 2, 5, 4)),
        row(lambda: layers.Concat(axis=-1), ROWS, (3, 1)),
        row(layers.Concat, IMAGE),
    ],
    layers.Conv1d: [
        row(lambda: layers.Conv1d(3, 2, 3, padding=1), (2, 3, 6)),
        row(lambda: layers.Conv1d(4, 6, 2, 2, (1, 2), 3, 2, bias=False), (2, 4, 7)),
    ],
    layers.Conv2d: [
        row(lambda: layers.Conv2d(3, 2, 3, padding=1), IMAGE),
        row(lambda: layers.Conv2d(4, 6, (3, 2), 2, ((1, 0), (0, 2)), (2, 1), 2), (2, 4, 6, 5)),
        row(lambda: layers.Conv2d(3, 2, 1, bias=False), IMAGE),
    ],
    layers.ConvTranspose2d: [
        row(lambda: layers.ConvTranspose2d(3, 2, 3), IMAGE),
        row(
            lambda: layers.ConvTranspose2d(4, 6, (3, 2), (2, 3), ((1, 0), (0, 1)), (1, 2), 2),
            (2, 4, 3, 2),
        ),
        row(lambda: layers.ConvTranspose2d(3, 2, 2, 2, bias=False, dilation=2), IMAGE),
    ],
    layers.CrossEntropyLoss: [
        row(layers.CrossEntropyLoss, ROWS, LABELS, constant=(1,)),
        row(
            lambda: layers.CrossEntropyLoss(label_smoothing=0.1),
            (1, 4, 3, 1),
            LABELS.reshape(1, 3, 1),
            constant=(1,),
        ),
    ],
    layers.Dropout: [
        row(layers.Dropout, IMAGE),
        row(lambda: layers.Dropout(0.0), ROWS),
        row(lambda: layers.Dropout(0.2), ROWS),
    ],
    layers.Dropout2d: [
        row(layers.Dropout2d, IMAGE),
        row(lambda: layers.Dropout2d(0.2), (4, 9)),
    ],
    layers.ELU: [row(layers.ELU, IMAGE), row(lambda: layers.ELU(0.5, 1.5), ROWS)],
    layers.Flatten: [row(layers.Flatten, IMAGE), row(layers.Flatten, ROWS)],
    layers.Hardtanh: [
        row(layers.Hardtanh, IMAGE),
        row(lambda: layers.Hardtanh(-0.5, 0.25), ROWS),
    ],
    layers.LeakyReLU: [row(layers.LeakyReLU, IMAGE), row(lambda: layers.LeakyReLU(0.3), ROWS)],
    layers.Linear: [
        row(lambda: layers.Linear(4, 5), ROWS),
        row(lambda: layers.Linear(4, 1, bias=False), ROWS),
    ],
    layers.LocalResponseNorm: [
        row(lambda: layers.LocalResponseNorm(3, 0.5), (2, 5, 2, 3)),
        row(lambda: layers.LocalResponseNorm(4, 0.5, 1.5, 2.0, "element"), (1, 6, 2, 2)),
    ],
    layers.LocallyConnected2d: [
        row(lambda: layers.LocallyConnected2d(3, 2, (5, 4), 3, padding=1), IMAGE),
        row(lambda: layers.LocallyConnected2d(3, 2, (5, 4), (4, 2)), IMAGE),
    ],
    layers.LogSoftmax: [row(layers.LogSoftmax, ROWS), row(layers.LogSoftmax, IMAGE)],
    layers.MSELoss: [row(layers.MSELoss, ROWS, np.ones(ROWS), constant=(1,))],
    layers.MaxPool2d: [
        row(lambda: layers.MaxPool2d(2), IMAGE),
        row(lambda: layers.MaxPool2d(3, 1, 1, ceil_mode=True), IMAGE),
    ],
    layers.PReLU: [row(layers.PReLU, IMAGE), row(lambda: layers.PReLU(3), IMAGE)],
    layers.PadChannels: [row(lambda: layers.PadChannels(0, 2), IMAGE)],
    layers.RBF: [row(lambda: layers.RBF(4, 5), ROWS)],
    layers.RReLU: [row(layers.RReLU, IMAGE)],
    layers.ReLU: [row(layers.ReLU, IMAGE)],
    layers.ReLU6: [row(layers.ReLU6, IMAGE)],
    layers.SELU: [row(layers.SELU, IMAGE)],
    layers.Sigmoid: [row(layers.Sigmoid, IMAGE)],
    layers.Softmax: [row(layers.Softmax, ROWS), row(layers.Softmax, IMAGE)],
    layers.TableConv2d: [
        row(lambda: layers.TableConv2d(3, [(0, 1), (2,), (0, 1, 2), (1,)], 3), IMAGE)
    ],
    layers.Tanh: [row(layers.Tanh, IMAGE), row(lambda: layers.Tanh(1.7159, 2 / 3), ROWS)],
    layers.ZeroPad2d: [
        row(lambda: layers.ZeroPad2d(1), IMAGE),
        row(lambda: layers.ZeroPad2d(((1, 0), (0, 3))), IMAGE),
    ],
}


def exported():
    """Every layer class that gpuconv.layers exports."""
    found = (v for v in vars(layers).values() if isinstance(v, type) and issubclass(v, Layer))
    return {cls for cls in found if cls is not Layer}
