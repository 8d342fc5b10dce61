"""Formats in a Graph: blocks travel between layers that take them, users' layers see NCHW."""

import numpy as np
import pytest
from graph_parts import TRAIN, normal

import gpuconv as gcv
from gpuconv import formats, ops
from gpuconv.formats import Formatted
from gpuconv.graph import Graph, Sequential
from gpuconv.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
)

DIRECT = {"conv2d": "numba:direct"}
DIRECT |= {"conv2d_input": "numba:direct", "conv2d_weight": "numba:direct"}


class Seen(Layer):
    """Hands its input on, and notes what it was given."""

    def __init__(self):
        self.given = []

    def forward(self, x, *, train=False, keep=None, update=None, rng=None):
        self.given.append(x)
        return ops.relu(x), (() if keep or (keep is None and train) else None)

    def backward(self, dy, saved, need_dx=True):
        self.given.append(dy)
        return ops.leaky_relu(dy, 0.5)

    def output_shape(self, *shapes):
        return shapes[0]


class SeenAnyFormat(Seen):
    formats = "any"


class Quiet(Conv2d):
    """On top of one of our layers: it computes otherwise, so it would have to say "any" again."""

    def forward(self, x, **options):
        assert type(x) is np.ndarray
        return super().forward(2 * x, **options)


def image(channels=16, size=9, batch=2):
    return normal(batch, channels, size, size, dtype="float32")


def conv(channels, filters, size=3):
    """A convolution by one kernel in every format; sums of biases would choose theirs by it."""
    return Conv2d(channels, filters, size, padding=size // 2, bias=False, algorithm=dict(DIRECT))


def by_hand(layers, x, dy):
    """Output, input gradient and all parameters' gradients, layer by layer on bare arrays."""
    kept = []
    for layer in layers:
        layer.zero_grad()
        x, saved = layer.forward(x, train=True)
        kept.append(saved)
    for layer, saved in zip(reversed(layers), reversed(kept), strict=True):
        dy = layer.backward(dy, saved)
    return x, dy, _grads(layers)


def through(net, x, dy):
    """The same through a graph."""
    net.zero_grad()
    y, saved = net.forward(x, train=True)
    dx = net.backward(dy, saved)
    return y, dx, _grads(net.children().values())


def _grads(layers):
    return [p.grad.copy() for layer in layers for p in layer.parameters()]


def _flat(result):
    y, dx, grads = result
    return [y, dx, *grads]


def bits(result):
    arrays = _flat(result)
    assert all(type(a) is np.ndarray and a.flags.c_contiguous for a in arrays)
    return [a.tobytes() for a in arrays]


@pytest.mark.parametrize("channels", [16, 13, 3])
def test_a_net_gives_the_bits_of_its_layers_one_by_one(channels):
    layers = [conv(channels, 24), ReLU(), MaxPool2d(2), conv(24, 12), ReLU(), conv(12, 16, 1)]
    x, dy = image(channels), normal(2, 16, 4, 4, seed=1, dtype="float32")
    assert bits(through(Sequential(*layers), x, dy)) == bits(by_hand(layers, x, dy))


def test_every_layer_that_takes_blocks_is_close_to_nchw():
    layers = [Conv2d(16, 16, 3, padding=1), ReLU(), BatchNorm2d(16), AvgPool2d(2), conv(16, 16)]
    layers += [Flatten(), Linear(256, 5)]
    x, dy = image(size=8), normal(2, 5, seed=1, dtype="float32")
    with_formats, plain = through(Sequential(*layers), x, dy), by_hand(layers, x, dy)
    for got, want in zip(_flat(with_formats), _flat(plain), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * abs(want).max())


def test_blocks_travel_and_stay_inside():
    seen = SeenAnyFormat()
    net = Sequential(conv(16, 24), seen, conv(24, 24))
    x = image()
    y, dx, _ = through(net, x, np.ones((2, 24, 9, 9), np.float32))
    assert [type(value) for value in seen.given] == [Formatted, Formatted]
    for value in seen.given:
        assert value.format == formats.native()
        assert value.shape == (2, 24, 9, 9)
        assert value.data.shape == formats.shape_in(value.shape, value.format)
    assert type(y) is type(dx) is np.ndarray
    assert y.shape == (2, 24, 9, 9)
    assert dx.shape == x.shape


def test_a_nested_graph_hands_blocks_through():
    inner = SeenAnyFormat()
    outer = SeenAnyFormat()
    net = Sequential(conv(16, 24), Sequential(inner, conv(24, 16)), outer)
    net(image())
    assert [type(v) for v in (*inner.given, *outer.given)] == [Formatted, Formatted]
    assert inner.given[0].format == outer.given[0].format == formats.native()


def test_users_layers_see_nchw_and_change_nothing():
    seen = Seen()
    layers = [conv(16, 24), seen, Quiet(24, 16, 3, bias=False, algorithm=dict(DIRECT))]
    x, dy = image(), normal(2, 16, 7, 7, seed=1, dtype="float32")
    got = bits(through(Sequential(*layers), x, dy))
    assert [type(value) for value in seen.given] == [np.ndarray, np.ndarray]
    assert got == bits(by_hand(layers, x, dy))


def fork(side):
    """x -> conv -> (side, ReLU) added -> conv; and the first conv's result is an output too."""
    g = Graph()
    h = g.apply(conv(16, 16), g.input("x"), name="first")
    joined = g.apply(Add(), g.apply(side, h), g.apply(ReLU(), h))
    g.output(g.apply(conv(16, 8), joined, name="second"), h)
    return g


@pytest.mark.parametrize("side", [Seen, SeenAnyFormat])
def test_gradients_of_a_fork_in_two_formats_are_summed(side):
    g, x = fork(side()), image()
    dys = normal(2, 8, 9, 9, seed=1, dtype="float32"), normal(2, 16, 9, 9, seed=2, dtype="float32")
    (y, h), saved = g.forward(x, train=True)
    dx = g.backward(dys, saved)
    children = g.children()
    first, second = children["first"], children["second"]
    grads = [p.grad.copy() for p in (*first.parameters(), *second.parameters())]
    g.zero_grad()
    plain, kept = first.forward(x, train=True)
    joined, held = second.forward(ops.relu(plain) + ops.relu(plain), train=True)
    dh = second.backward(dys[0], held)
    dh = (dys[1] + ops.relu_backward(dh, ops.relu(plain))) + ops.leaky_relu(dh, 0.5)
    assert y.tobytes() == joined.tobytes()
    assert h.tobytes() == plain.tobytes()
    np.testing.assert_allclose(dx, first.backward(dh, kept), rtol=1e-4, atol=1e-4)
    for got, layer in zip(grads, (*first.parameters(), *second.parameters()), strict=True):
        np.testing.assert_allclose(got, layer.grad, rtol=1e-4, atol=1e-4)


def test_concat_of_blocks_with_planes():
    g = Graph()
    x = g.input("x")
    h = g.apply(conv(16, 13), x, name="left")
    g.apply(conv(29, 4), g.apply(Concat(), h, x), name="right")
    children = g.children()
    a = image()
    both = np.concatenate([children["left"](a), a], 1)
    assert g(a).tobytes() == children["right"](both).tobytes()


def test_a_plan_without_blocks_keeps_planes():
    seen = SeenAnyFormat()
    names = dict.fromkeys(DIRECT, "numpy:im2col")
    layers = [Conv2d(16, 24, 3, bias=False), seen, Conv2d(24, 16, 3, bias=False)]
    x, dy = image(), normal(2, 16, 5, 5, seed=1, dtype="float32")
    with gcv.limits(plan=names):
        got = bits(through(Sequential(*layers), x, dy))
        assert {v.format for v in seen.given if type(v) is Formatted} <= {"NCHW"}
        assert got == bits(by_hand(layers, x, dy))


def test_float64_stays_as_it_is():
    seen = SeenAnyFormat()
    net = Sequential(Conv2d(16, 16, 3), seen).astype("float64")
    net(image().astype("float64"))
    assert type(seen.given[0]) is np.ndarray


def test_an_empty_batch():
    net = Sequential(conv(16, 24), BatchNorm2d(24), ReLU(), MaxPool2d(2), conv(24, 16))
    assert net(image(batch=0)).shape == (0, 16, 4, 4)


def test_what_is_given_is_not_changed_and_what_is_returned_is_not_shared():
    net, x = Sequential(conv(16, 24), ReLU()), image()
    before = x.copy()
    y, saved = net.forward(x, **TRAIN)
    net.backward(np.ones_like(y), saved)
    assert x.tobytes() == before.tobytes()
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("channels", [1, 3, 13, 120])
def test_blocks_and_back(channels, size):
    x, format = image(channels, size), formats.native()
    made = formats.blocked(x, format)
    assert made.shape == formats.shape_in(x.shape, format)
    assert formats.plain(made, channels).tobytes() == x.tobytes()
    lanes = made.shape[-1]
    for c in range(channels):
        np.testing.assert_array_equal(made[:, c // lanes, ..., c % lanes], x[:, c])
    assert np.count_nonzero(made) == x.size
