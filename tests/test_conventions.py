"""docs/conventions.md says how the functions are called; layers have the same defaults."""

import inspect
import re

import numpy as np
import pytest
from house_rules import ROOT

from gpuconv import layers, ops
from gpuconv.random import Stream
from gpuconv.training.optimizers import SGD, Adam

PAGE = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"`ops\.(\w+)\(([^`]*)\)`", PAGE)


def parameters(function):
    """Name -> (kind, default), without the algorithm and the place of the result."""
    found = inspect.signature(function).parameters.values()
    return {p.name: (p.kind, p.default) for p in found if p.name not in ("algorithm", "out")}


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_a_function_is_called_as_the_page_says(name, text):
    text = " ".join(text.split())
    plain = text.removesuffix(", *, ...")  # which stands for the options of conv2d
    shown, real = parameters(eval(f"lambda {plain}: None")), parameters(getattr(ops, name))
    if plain != text:
        theirs = parameters(ops.conv2d)
        shown |= {name: theirs[name] for name in ("stride", "padding", "dilation", "groups")}
    for other in ("epilogue", "out"):  # what the page has a sentence for
        real.pop(other, None)
    assert list(real.items()) == list(shown.items())


def test_the_page_shows_functions():
    assert len(SHOWN) >= 9
    names = {name.removesuffix("_backward") for name in vars(ops) if name.endswith("_backward")}
    assert names <= set(vars(ops))  # a gradient is an op of its own, named after its forward op


def test_layers_have_the_defaults_of_their_functions():
    pairs = {
        layers.AvgPool2d: ops.avg_pool2d,
        layers.BatchNorm2d: ops.batch_norm,
        layers.Conv2d: ops.conv2d,
        layers.CrossEntropyLoss: ops.cross_entropy,
        layers.ELU: ops.elu,
        layers.Hardtanh: ops.hardtanh,
        layers.LeakyReLU: ops.leaky_relu,
        layers.LocalResponseNorm: ops.lrn,
        layers.MaxPool2d: ops.max_pool2d,
        layers.RReLU: ops.rrelu,
        layers.Tanh: ops.tanh,
    }
    for layer, function in pairs.items():
        mine, theirs = parameters(layer), parameters(function)
        shared = mine.keys() & theirs.keys() - {"weight", "bias"}
        assert shared, layer
        for name in shared:
            assert mine[name][1] == theirs[name][1], (layer, name)
    for optimizer, function in ((Adam, ops.adam), (SGD, ops.sgd)):
        mine, theirs = parameters(optimizer), parameters(function)
        for name in theirs.keys() & mine.keys() - {"lr"}:
            assert mine[name][1] == theirs[name][1], (optimizer, name)
    assert parameters(ops.adam)["betas"][1] == (0.9, 0.999)
    assert parameters(ops.adam)["eps"][1] == 1e-8
    assert parameters(ops.rrelu)["lower"][1] == 1 / 8
    assert parameters(ops.rrelu)["upper"][1] == 1 / 3
    assert parameters(layers.Dropout)["p"][1] == 0.5  # torch.nn.Dropout's


def test_rrelu_takes_the_mean_of_its_slopes_in_evaluation():
    x = -np.ones((2, 3))
    np.testing.assert_allclose(layers.RReLU()(x), x * (1 / 8 + 1 / 3) / 2, rtol=1e-15)
    np.testing.assert_allclose(layers.RReLU(0.1, 0.5)(x), x * 0.3, rtol=1e-15)
    drawn, _ = layers.RReLU().forward(x, train=True, rng=Stream(1))
    assert len(np.unique(drawn)) == x.size
    assert ((-drawn >= 1 / 8) & (-drawn < 1 / 3)).all()
