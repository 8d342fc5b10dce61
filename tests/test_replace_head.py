"""A net gets a head for other classes, and keeps all else."""

import numpy as np
import pytest
from test_transfer import bits, changed, images, net, train

import gpuconv as gcv
from gpuconv.errors import GraphError, OptionError
from gpuconv.layers import (
    RBF,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    ReLU,
)


def test_a_new_head_is_drawn_from_the_seed_and_the_rest_is_kept():
    model = net().freeze()
    before = bits(model)
    assert model.replace_head(7, seed=11) is model
    assert model(images()).shape == (4, 7)
    assert changed(before, model) == {"classifier.2.weight", "classifier.2.bias"}
    fresh = net(seed=11).replace_head(7, seed=11).initialize(11)
    np.testing.assert_array_equal(fresh.parameters()[-2].value, model.parameters()[-2].value)
    assert [p.trainable for p in model.parameters()[-2:]] == [True, True]
    assert bits(net().replace_head(7, seed=12)) != bits(net().replace_head(7, seed=11))
    train(model)


def test_a_head_of_the_same_size_is_new_too():
    model = net()
    before = bits(model)
    assert changed(before, model.replace_head(3, seed=5)) == {"classifier.2.weight"}


def test_a_head_lives_where_the_old_one_did():
    model = net().astype("float64").replace_head(4)
    assert model(images().astype("float64")).dtype == np.float64


def squeezed():
    conv = gcv.Sequential(Dropout(0.1), Conv2d(2, 3, 1), ReLU(), AdaptiveAvgPool2d(1))
    return gcv.Sequential({"classifier": conv, "flatten": Flatten()})


def test_a_convolution_can_be_the_head():
    assert squeezed().replace_head(9)(images()).shape == (4, 9)


@pytest.mark.parametrize("name", [n for n in gcv.models.models() if n != "lenet5_1998"])
def test_every_model_takes_another_number_of_classes(name):
    model, other = gcv.models.create(name), gcv.models.create(name, 7)
    shapes = {n: p.shape for n, p in model.replace_head(7).named_parameters()}
    assert shapes == {n: p.shape for n, p in other.named_parameters()}


def two_ends():
    g = gcv.Graph()
    x = g.input("x")
    g.apply(Add(), g.apply(Linear(2, 2), x), g.apply(Linear(2, 2), x))
    return g


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: gcv.models.create("lenet5_1998"), "ends in RBF; only the weights of a Linear"),
        (lambda: gcv.Sequential(Linear(2, 2), BatchNorm2d(2)), "ends in BatchNorm2d"),
        (lambda: gcv.Sequential(Conv2d(2, 2, 1, groups=2)), "ends in Conv2d; .* without groups"),
        (lambda: gcv.Sequential(ReLU()), "no Linear or Conv2d"),
        (lambda: RBF(2, 2), "ends in RBF"),
        (two_ends, "come from several layers"),
    ],
)
def test_a_net_without_a_head_says_so(make, text):
    with pytest.raises(GraphError, match=f"^replace_head: .*{text}"):
        make().replace_head(4)


@pytest.mark.parametrize("count", [0, -1, 2.5, "3", True])
def test_a_bad_number_of_classes_is_refused(count):
    model = net()
    before = bits(model)
    with pytest.raises(OptionError, match="replace_head: num_classes"):
        model.replace_head(count)
    assert bits(model) == before
