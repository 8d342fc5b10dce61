"""The thin nets for 32 x 32 images: with shortcuts that have no parameters, and without."""

import numpy as np
import pytest

from gpuconv import models
from gpuconv.errors import OptionError, ShapeError
from gpuconv.layers import Conv2d, LocallyConnected2d
from gpuconv.models.cifar_resnet import cifar_net, subsampled
from gpuconv.random import Stream

IMAGES = Stream(4).normal((2, 3, 32, 32)).astype(np.float32)


@pytest.mark.parametrize("depth", [20, 56])
def test_plain_and_residual_have_the_same_parameters(depth):
    plain, full = models.create(f"plain{depth}"), models.create(f"resnet{depth}")
    assert [key for key, _ in plain.named_parameters()] == [k for k, _ in full.named_parameters()]
    weighted = [k for k, p in full.named_parameters() if len(p.shape) > 1]
    assert len(weighted) == depth
    for (key, a), (_, b) in zip(plain.named_parameters(), full.named_parameters(), strict=True):
        np.testing.assert_array_equal(a.value, b.value, key)


def test_the_stages_of_the_table():
    rows = models.create("resnet20").summary((3, 32, 32)).rows
    found = {(row.name.split(".")[0], row.output_shape[1:]) for row in rows if row.layer == "Add"}
    assert found == {("layer1", (16, 32, 32)), ("layer2", (32, 16, 16)), ("layer3", (64, 8, 8))}


def test_the_shortcut_takes_every_second_pixel_and_adds_channels_of_zeros():
    layer = subsampled(3, 8, 2)
    y = layer(IMAGES)
    assert layer.parameters() == []
    np.testing.assert_array_equal(y[:, :3], IMAGES[:, :, ::2, ::2])
    assert y.shape == (2, 8, 16, 16)
    assert not y[:, 3:].any()


def test_a_block_whose_filters_are_zero_hands_its_input_on():
    net = models.create("resnet20", seed=1)
    for name, parameter in net.named_parameters():
        if name.startswith("layer1") and "conv2" in name:
            parameter.value = np.zeros_like(parameter.value)
    layer = net.children()["layer1"]
    x = np.abs(Stream(2).normal((1, 16, 8, 8))).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)
    assert (models.create("plain20").children()["layer1"](x) != x).any()


def test_forward_and_backward_of_another_depth_and_number_of_channels():
    net = cifar_net(8, 4, in_channels=1).initialize(3)
    y, saved = net.forward(IMAGES[:, :1], train=True)
    net.backward(np.ones_like(y), saved, need_dx=False)
    assert y.shape == (2, 4)
    for name, parameter in net.named_parameters():
        assert np.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("depth", "text"),
    [(21, "depth must be 6 n . 2"), (2, "depth must be an integer >= 8"), (20.0, "an integer")],
)
def test_other_depths_are_refused(depth, text):
    with pytest.raises(OptionError, match=f"cifar_net: .*{text}"):
        cifar_net(depth)


def test_a_local_layer_whose_filters_are_the_same_everywhere_is_a_convolution():
    local = LocallyConnected2d(3, 4, (6, 5), (3, 2), padding=1).initialize(1)
    conv = Conv2d(3, 4, (3, 2), padding=1).initialize(2)
    conv.bias.value = Stream(5).normal((4,)).astype(np.float32)
    shared = np.broadcast_to(conv.weight.value.reshape(4, -1), local.weight.shape)
    local.weight.value = np.ascontiguousarray(shared)
    local.bias.value = np.ascontiguousarray(np.broadcast_to(conv.bias.value, local.bias.shape))
    x = Stream(6).normal((2, 3, 6, 5)).astype(np.float32)
    np.testing.assert_allclose(local(x), conv(x), rtol=0, atol=1e-5)
    assert local.flops(x.shape) == conv.flops(x.shape)


def test_a_local_layer_refuses_windows_and_inputs_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"window \(4, 4\) does not fit into an input of \(2, 3\)"):
        LocallyConnected2d(3, 4, (2, 3), 4)
    with pytest.raises(
        ShapeError, match=r"input has shape \(2, 3, 5, 5\), expected \(N, 3, 6, 5\)"
    ):
        LocallyConnected2d(3, 4, (6, 5), 3)(np.zeros((2, 3, 5, 5), np.float32))


def test_cuda_convnet_has_the_sizes_of_its_file():
    rows = models.create("cuda_convnet").summary((3, 24, 24)).rows
    pools = [row.output_shape[1:] for row in rows if row.layer == "MaxPool2d"]
    assert pools == [(64, 12, 12), (64, 6, 6)]
    local = [row.parameters for row in rows if row.layer == "LocallyConnected2d"]
    assert local == [36 * 32 * (64 * 9 + 1), 36 * 32 * (32 * 9 + 1)]
