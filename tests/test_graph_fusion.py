"""Epilogues in a Graph: a convolution does the work of the ReLU behind it, and nobody notices."""

from collections import Counter

import numpy as np
import pytest
from graph_parts import TRAIN, normal

from gpuconv import ops
from gpuconv.errors import KernelError
from gpuconv.graph import Graph, Sequential
from gpuconv.layers import BatchNorm2d, Conv2d, Flatten, LeakyReLU, Linear, ReLU
from gpuconv.layers.conv import GRADIENTS
from gpuconv.limits import limits


class Doubled(ReLU):
    """A user's layer on top of ReLU, which computes something else."""

    def apply(self, x):
        return ops.relu(x) + ops.relu(x)


class Shifted(Conv2d):
    """A user's convolution, whose forward knows no epilogue."""

    def forward(self, x, *, train=False, keep=None, update=None, rng=None):
        return super().forward(x + 1, train=train, keep=keep, update=update, rng=rng)


class Renamed(Conv2d):
    """A user's convolution that computes as ours does."""


@pytest.fixture
def calls(monkeypatch):
    """How often relu was called as an op of its own."""
    counted, relu = Counter(), ops.relu

    def counting(x, **options):
        counted["relu"] += 1
        return relu(x, **options)

    monkeypatch.setattr(ops, "relu", counting)
    return counted


def layers(dtype):
    """A few layers with two ReLUs that are fused, behind a convolution and a linear layer."""
    named = "numba:direct" if dtype == "float32" else None
    conv = Conv2d(3, 5, 3, bias=False, algorithm=dict.fromkeys(GRADIENTS, named))
    made = [conv, ReLU(), Flatten(), Linear(5 * 16, 7), ReLU(), Linear(7, 2)]
    return [layer.astype(dtype) for layer in made]


def by_hand(net, x, dy):
    kept = []
    for layer in net:
        layer.zero_grad()
        x, saved = layer.forward(x, **TRAIN)
        kept.append(saved)
    for layer, saved in zip(reversed(net), reversed(kept), strict=True):
        dy = layer.backward(dy, saved)
    return [x, dy, *(p.grad for layer in net for p in layer.parameters())]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_as_layer_by_layer(calls, dtype):
    net = layers(dtype)
    x, dy = normal(2, 3, 6, 6, dtype=dtype), normal(2, 2, seed=1, dtype=dtype)
    x[0, 0, 2, 2] = np.nan
    want = [a.tobytes() for a in by_hand(net, x, dy)]
    assert calls["relu"] == 2
    graph = Sequential(*net)
    graph.zero_grad()
    y, saved = graph.forward(x, **TRAIN)
    dx = graph.backward(dy, saved)
    got = [y, dx, *(p.grad for p in graph.parameters())]
    assert [a.tobytes() for a in got] == want
    assert calls["relu"] == 2  # none more


def test_both_layers_keep_what_they_keep():
    conv, relu = Conv2d(2, 3, 3), ReLU()
    x = normal(1, 2, 5, 5)
    net = Sequential(conv.astype("float64"), relu)
    y, saved = net.forward(x, keep=True)
    assert saved[0] is x
    assert saved[1] is y
    assert net.forward(x)[1] is None
    assert net.forward(x, train=True, keep=False)[1] is None


@pytest.mark.parametrize(
    "pair",
    [
        (Conv2d(2, 2, 3), Doubled()),
        (Shifted(2, 2, 3), ReLU()),
        (BatchNorm2d(2), ReLU()),
        (Conv2d(2, 2, 3), LeakyReLU()),
    ],
    ids=["another ReLU", "another convolution", "no epilogue", "no ReLU"],
)
def test_what_computes_otherwise_is_left_alone(pair):
    first, second = (layer.astype("float64") for layer in pair)
    x = normal(2, 2, 5, 5)
    assert Sequential(first, second)(x).tobytes() == second(first(x)).tobytes()


def test_a_subclass_that_computes_as_its_base_is_fused(calls):
    Sequential(Renamed(2, 2, 3).astype("float64"), ReLU())(normal(1, 2, 5, 5))
    assert calls["relu"] == 0


def read_twice(g, h):
    g.output(g.apply(ReLU(), h), g.apply(LeakyReLU(), h))


def read_by_two_relus(g, h):
    g.output(g.apply(ReLU(), h), g.apply(ReLU(), h))


def also_an_output(g, h):
    g.output(g.apply(ReLU(), h), h)


@pytest.mark.parametrize("finish", [read_twice, read_by_two_relus, also_an_output])
def test_a_value_that_others_read_stays_as_it_is(finish):
    g, conv = Graph(), Conv2d(2, 3, 3).astype("float64")
    finish(g, g.apply(conv, g.input()))
    x = normal(1, 2, 5, 5)
    h = conv(x)
    first, second = g(x)
    other = {read_twice: ops.leaky_relu(h), read_by_two_relus: ops.relu(h), also_an_output: h}
    assert (h < 0).any()
    assert first.tobytes() == ops.relu(h).tobytes()
    assert second.tobytes() == other[finish].tobytes()


@pytest.mark.parametrize("first", [True, False])
def test_a_relu_that_a_plan_names_is_called(calls, first):
    conv = Conv2d(2, 3, 3).astype("float64")
    net, x, dy = Sequential(conv, ReLU()), normal(1, 2, 5, 5), normal(1, 3, 3, 3)
    if first:  # a graph remembers what it fuses
        net(x)
    with limits(plan={"conv2d": "numpy:direct"}):
        want = net(x)
        assert calls["relu"] == 0
        with limits(plan={"conv2d": "numpy:direct", "relu": "numpy"}):
            got, saved = net.forward(x, **TRAIN)
        assert calls["relu"] == 1
        assert got.tobytes() == want.tobytes()
        dx = net.backward(dy, saved)  # fused forward and this one keep the same
        _, saved = net.forward(x, **TRAIN)
        assert net.backward(dy, saved).tobytes() == dx.tobytes()
    assert calls["relu"] == 1
    with limits(plan={"relu": "nothing"}), pytest.raises(KernelError, match="'nothing'"):
        net(x)


def test_a_layer_added_later_is_seen(calls):
    conv = Conv2d(2, 3, 3).astype("float64")
    net, x = Sequential(conv), normal(1, 2, 5, 5)
    plain = net(x)
    net.append(ReLU())
    assert net(x).tobytes() == np.maximum(plain, 0).tobytes()
    assert calls["relu"] == 0


def test_a_relu_on_an_input_runs():
    x = normal(2, 3)
    np.testing.assert_array_equal(Sequential(ReLU())(x), np.maximum(x, 0))
