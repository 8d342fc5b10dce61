"""Nets for 224 x 224 images: names, sizes, initial values, gradients."""

import tracemalloc

import numpy as np
import pytest

from gpuconv import models
from gpuconv.layers import CrossEntropyLoss
from gpuconv.random import Stream

STAGES = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}


@pytest.mark.parametrize("name", STAGES)
def test_resnets_have_the_names_of_torchvision(name):
    convolutions, narrow = (2, 1) if name != "resnet50" else (3, 4)
    norm = ("weight", "bias")
    expected = ["conv1.weight", *(f"bn1.{part}" for part in norm)]
    for stage, count in enumerate(STAGES[name], start=1):
        for block in range(count):
            prefix = f"layer{stage}.{block}"
            for k in range(1, convolutions + 1):
                expected += [f"{prefix}.conv{k}.weight", *(f"{prefix}.bn{k}.{p}" for p in norm)]
            if block == 0 and (stage > 1 or narrow > 1):
                expected += [f"{prefix}.downsample.0.weight"]
                expected += [f"{prefix}.downsample.1.{part}" for part in norm]
    net = models.create(name)
    assert list(dict(net.named_parameters())) == [*expected, "fc.weight", "fc.bias"]
    buffers = {key.rpartition(".")[2] for key, _ in net.named_buffers()}
    assert buffers == {"running_mean", "running_var", "num_batches_tracked"}


@pytest.mark.parametrize("name", STAGES)
def test_resnets_halve_the_image_five_times(name):
    widen = 1 if name != "resnet50" else 4
    rows = models.create(name).summary((3, 224, 224)).rows
    found = {row.name: row.output_shape[1:] for row in rows}
    assert found["conv1"] == (64, 112, 112)
    assert found["maxpool"] == (64, 56, 56)
    for number, side in enumerate((56, 28, 14, 7)):
        ends = [shape for key, shape in found.items() if key.startswith(f"layer{number + 1}.")]
        assert ends[-1] == (widen * 64 * 2**number, side, side)
    assert found["avgpool"] == (widen * 512, 1, 1)


def test_a_resnet_forward_and_backward():
    net, loss = models.create("resnet18", num_classes=4), CrossEntropyLoss()
    images = Stream(5).normal((2, 3, 40, 32)).astype(np.float32)
    prediction, saved = net.forward(images, train=True)
    value, kept = loss.forward(prediction, np.array([3, 1]), train=True)
    gradient, _ = loss.backward(1.0, kept)
    net.backward(gradient, saved, need_dx=False)
    assert prediction.shape == (2, 4)
    assert 0.3 < float(value) < 5
    for name, parameter in net.named_parameters():
        assert np.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(("name", "other"), [("plain18", "resnet18"), ("plain34", "resnet34")])
def test_plain_nets_are_resnets_without_shortcuts(name, other):
    plain, full = models.create(name), models.create(other)
    names = [key for key in full.state_dict() if "downsample" not in key]
    assert list(plain.state_dict()) == names
    assert plain.output_shape((2, 3, 64, 64)) == (2, 1000)
    kinds = {row.layer for row in plain.summary((3, 64, 64)).rows}
    assert "Add" not in kinds


def fires():
    """torchvision's squeezenet1_1: the place, input, squeezed and expanded channels of each."""
    before, squeezed = 64, (16, 16, 32, 32, 48, 48, 64, 64)
    for place, narrow in zip((3, 4, 6, 7, 9, 10, 11, 12), squeezed, strict=True):
        yield f"features.{place}", before, narrow, 4 * narrow
        before = 8 * narrow


def test_squeezenet_has_the_names_and_shapes_of_torchvision():
    expected = {"features.0": (64, 3, 3, 3)}
    for place, before, narrow, wide in fires():
        expected[f"{place}.squeeze"] = (narrow, before, 1, 1)
        expected[f"{place}.expand1x1"] = (wide, narrow, 1, 1)
        expected[f"{place}.expand3x3"] = (wide, narrow, 3, 3)
    expected["classifier.1"] = (1000, 512, 1, 1)
    net = models.create("squeezenet")
    weights = {key: p.shape for key, p in net.named_parameters() if key.endswith("weight")}
    assert weights == {f"{key}.weight": shape for key, shape in expected.items()}
    rows = net.summary((3, 224, 224)).rows
    pools = [row.output_shape[1:] for row in rows if row.layer == "MaxPool2d"]
    assert pools == [(64, 55, 55), (128, 27, 27), (256, 13, 13)]


def test_zfnet_has_the_sizes_of_figure_3():
    rows = models.create("zfnet").summary((3, 224, 224)).rows
    sides = [row.output_shape[1:] for row in rows if row.layer in ("Conv2d", "MaxPool2d")]
    assert sides == [
        *((96, 110, 110), (96, 55, 55), (256, 26, 26), (256, 13, 13)),
        *((384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6)),
    ]


def test_alexnet_2012_begins_as_the_paper_says():
    net = models.create("alexnet_2012")
    ones = {name for name, p in net.named_parameters() if (p.value == 1).all()}
    hidden = ("features.4", "features.10", "features.12", "classifier.0", "classifier.3")
    assert ones == {f"{name}.bias" for name in hidden}
    weights = net.state_dict()["features.8.weight"]
    assert weights.shape == (384, 256, 3, 3)
    assert abs(weights.std() - 0.01) < 1e-4
    assert net.state_dict()["features.4.weight"].shape == (256, 48, 5, 5)


@pytest.mark.slow
def test_alexnet_forward_and_backward():
    net, loss = models.create("alexnet"), CrossEntropyLoss()
    weights = sum(parameter.value.nbytes for parameter in net.parameters())
    images = Stream(5).normal((2, *net.input_shape)).astype(np.float32)
    tracemalloc.start()
    try:
        prediction, saved = net.forward(images, train=True, rng=Stream(0))
        value, kept = loss.forward(prediction, np.array([3, 997]), train=True)
        gradient, _ = loss.backward(1.0, kept)
        assert net.backward(gradient, saved, need_dx=False) is None
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert prediction.shape == (2, 1000)
    assert float(value) == pytest.approx(np.log(1000), rel=0.2)
    for name, parameter in net.named_parameters():
        assert parameter.grad.shape == parameter.shape
        assert np.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name
    assert weights == 4 * 61_100_840
    assert peak < 1.5 * weights  # the gradients, and a little more
