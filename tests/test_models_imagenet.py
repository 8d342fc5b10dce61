"""ResNets and AlexNet as published: names, sizes, initial values, gradients."""

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


def test_alexnet_2012_begins_as_the_paper_says():
    net = models.create("alexnet_2012")
    ones = {name for name, p in net.named_parameters() if (p.value == 1).all()}
    hidden = ("features.4", "features.10", "features.12", "classifier.0", "classifier.3")
    assert ones == {f"{name}.bias" for name in hidden}
    weights = net.state_dict()["features.8.weight"]
    assert weights.shape == (384, 256, 3, 3)
    assert abs(weights.std() - 0.01) < 1e-4
    assert net.state_dict()["features.4.weight"].shape == (256, 48, 5, 5)
