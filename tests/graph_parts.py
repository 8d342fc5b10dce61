"""Graphs and layers that the tests of graphs build on."""

import numpy as np

from gpuconv import ops
from gpuconv.graph import Graph
from gpuconv.layers import (
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    Sigmoid,
    Tanh,
)
from gpuconv.random import Stream

TRAIN = {"train": True, "rng": Stream(5)}


def normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


class Halves(Layer):
    """Two outputs: the channels of its input cut in two."""

    outputs = 2

    def forward(self, x, *, train=False, keep=None, update=None, rng=None):
        cut = x.shape[1] // 2
        return (ops.copy(x[:, :cut]), ops.copy(x[:, cut:])), (x.shape if keep or train else None)

    def backward(self, dy, saved, need_dx=True):
        parts = [np.zeros((saved[0], saved[1] // 2, *saved[2:])) if d is None else d for d in dy]
        return np.concatenate(parts, 1) if need_dx else None

    def output_shape(self, *shapes):
        n, c, *rest = shapes[0]
        return (n, c // 2, *rest), (n, c - c // 2, *rest)


class Spy(Layer):
    """Hands its input on, and keeps a list of what it was called with."""

    def __init__(self):
        self.calls = []

    def forward(self, x, *, train=False, keep=None, update=None, rng=None):
        self.calls.append(("forward", rng, update))
        return ops.copy(x), () if keep or (keep is None and train) else None

    def backward(self, dy, saved, need_dx=True):
        self.calls.append(("backward", need_dx))
        return ops.copy(dy) if need_dx else None

    def output_shape(self, *shapes):
        return shapes[0]


def block(channels=2):
    """A residual block: two convolutions, and the input added."""
    g = Graph()
    x = g.input("x")
    h = g.apply(Conv2d(channels, channels, (3, 1), padding=(1, 0)), x, name="conv1")
    h = g.apply(BatchNorm2d(channels), h)
    h = g.apply(Tanh(), h)
    h = g.apply(Conv2d(channels, channels, (3, 1), padding=(1, 0)), h, name="conv2")
    g.apply(Sigmoid(), g.apply(Add(), h, x))
    return g


def forked():
    """Two inputs, a fork read three times, nested blocks, two outputs, one value unused."""
    g = Graph()
    x, z = g.input("x"), g.input("z")
    both = g.apply(Concat(), x, z)
    fork = g.apply(block(4), both, name="block")
    left, right = g.apply(Halves(), fork)
    left = g.apply(block(), left)
    g.apply(Tanh(), right)
    joined = g.apply(Add(), left, g.apply(Conv2d(4, 2, 1), fork))
    g.output(joined, g.apply(Linear(4 * 6, 3), g.apply(Flatten(), fork)))
    return g
