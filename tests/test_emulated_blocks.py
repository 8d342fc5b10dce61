"""Blocks of residual and normalising nets train on the emulated GPU as they do on the CPU."""

from contextlib import nullcontext

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import emulator
from gpuconv.layers import (
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
)
from gpuconv.random import Stream

pytestmark = pytest.mark.emulated


def residual(c_in, c_out, stride):
    """conv-bn-relu-conv-bn and a projection (He et al. 2016, figure 2 and option B)."""
    g = gcv.Graph()
    x = g.input("x")
    h = g.apply(Conv2d(c_in, c_out, 3, stride, padding=1, bias=False), x)
    h = g.apply(ReLU(), g.apply(BatchNorm2d(c_out), h))
    h = g.apply(BatchNorm2d(c_out), g.apply(Conv2d(c_out, c_out, 3, padding=1, bias=False), h))
    shortcut = g.apply(BatchNorm2d(c_out), g.apply(Conv2d(c_in, c_out, 1, stride, bias=False), x))
    g.apply(ReLU(), g.apply(Add(), h, shortcut))
    return g


def resnet():
    pooled = AdaptiveAvgPool2d(1), Flatten(), Linear(6, 5)
    return gcv.Sequential(residual(3, 4, 1), residual(4, 6, 2), *pooled)


def alexnet():
    """Grouped convolution, response normalisation, overlapping pooling, dropout (2012's order)."""
    return gcv.Sequential(
        Conv2d(3, 8, 5, 2, padding=2),
        ReLU(),
        LocalResponseNorm(5, 1e-2, 0.75, 2.0),
        MaxPool2d(3, 2),
        Conv2d(8, 8, 3, padding=1, groups=2),
        ReLU(),
        LocalResponseNorm(4, 1e-2, 0.75, 2.0),
        MaxPool2d(3, 2),
        Flatten(),
        Dropout(0.5),
        Linear(8, 5),
    )


BLOCKS = {"resnet": (resnet, (4, 3, 9, 8)), "alexnet": (alexnet, (4, 3, 15, 14))}
every_block = pytest.mark.parametrize("name", BLOCKS)


def momentum(net):
    return gcv.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)


def train(name, where, optimizer=momentum, dtype="float32", steps=3, **options):
    """The losses of some steps on one batch, and the net's values after them."""
    make, shape = BLOCKS[name]
    net = make().initialize(3).astype(dtype).to(where)
    step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), optimizer(net))
    images, labels = Stream(1).normal(shape).astype(dtype), np.arange(shape[0]) % 5
    with emulator.options(**options) if options else nullcontext():
        losses = [float(step(images, labels)) for _ in range(steps)]
    return losses, {key: gcv.to_numpy(a) for key, a in net.state_dict().items()}


def agree(name, optimizer=momentum):
    losses, values = train(name, "cpu", optimizer)
    there, others = train(name, "emulated", optimizer)
    assert losses[0] != losses[1] != losses[2]
    np.testing.assert_allclose(there, losses, rtol=1e-5)
    for key, array in values.items():
        np.testing.assert_allclose(others[key], array, rtol=1e-3, atol=1e-5, err_msg=key)


@every_block
def test_a_block_trains_as_on_the_cpu(name):
    agree(name)


@every_block
def test_a_block_trains_with_adam_as_on_the_cpu(name):
    agree(name, lambda net: gcv.Adam(net.parameters(), 0.01, weight_decay=0.01, decoupled=True))


def test_slices_of_channels_train_as_blocks_of_them_do():
    names = ("batch_norm", "batch_norm_backward", "adaptive_avg_pool2d")
    with gcv.limits(plan=dict(zip(names, ("sliced", "sliced", "direct"), strict=True))):
        losses, values = train("resnet", "emulated")
    want, others = train("resnet", "emulated")
    np.testing.assert_allclose(losses, want, rtol=1e-5)
    assert any(array.tobytes() != values[key].tobytes() for key, array in others.items())


@every_block
def test_a_block_gives_the_same_bits_in_any_order_of_threads(name):
    first = train(name, "emulated", order="descending")
    second = train(name, "emulated", mode="check", order="random", seed=5)
    assert first[0] == second[0]
    for key, array in first[1].items():
        assert array.tobytes() == second[1][key].tobytes(), key


@every_block
def test_a_block_in_float64_agrees_to_its_own_precision(name):
    here, there = train(name, "cpu", dtype="float64"), train(name, "emulated", dtype="float64")
    np.testing.assert_allclose(there[0], here[0], rtol=1e-12)
    for key, array in here[1].items():
        np.testing.assert_allclose(there[1][key], array, rtol=1e-9, atol=1e-12, err_msg=key)


def test_evaluation_uses_the_running_statistics_there_too():
    x = Stream(2).normal((2, 3, 9, 8)).astype(np.float32)
    nets = [resnet().initialize(3).to(where) for where in ("cpu", "emulated")]
    for net in nets:
        step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), momentum(net))
        step(x, np.array([0, 1]))
    here, there = nets[0](x), nets[1](gcv.to_device(x, "emulated"))
    np.testing.assert_allclose(gcv.to_numpy(there), here, rtol=1e-4, atol=1e-5)
    counts = [int(v) for key, v in nets[1].state_dict().items() if key.endswith("tracked")]
    assert counts == [1] * 6


def test_a_frozen_normalisation_trains_its_weights_alone():
    found = []
    for where in ("cpu", "emulated"):
        net = gcv.Sequential(Conv2d(3, 4, 3), BatchNorm2d(4, frozen=True), Flatten(), Linear(80, 5))
        net.initialize(3).to(where)
        step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), momentum(net))
        x = Stream(1).normal((3, 3, 7, 6)).astype(np.float32)
        losses = [float(step(x, np.array([0, 1, 4]))) for _ in range(3)]
        found.append((losses, gcv.to_numpy(net.state_dict()["1.weight"])))
        assert (gcv.to_numpy(net.state_dict()["1.running_mean"]) == 0).all()
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-5)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-4)
    assert (found[0][1] != 1).all()
