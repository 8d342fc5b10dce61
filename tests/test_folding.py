"""Batch normalisation folded into convolutions: what is folded, how exactly, and when anew."""

from itertools import pairwise

import numpy as np
import pytest
from graph_parts import TRAIN, normal

import gpuconv as gcv
from gpuconv.cpu import keeping
from gpuconv.graph import Graph, Sequential
from gpuconv.kernels.conv2d import _numba_run as run
from gpuconv.layers import Add, BatchNorm2d, Conv2d, LeakyReLU, ReLU, TableConv2d
from gpuconv.training.folding import folded


def lively(net, dtype="float64"):
    """The net with running statistics, factors and summands that all differ."""
    net.astype(dtype)
    for number, (name, place) in enumerate([*net.named_parameters(), *net.named_buffers()]):
        if place.value.ndim == 1 and place.value.dtype.kind == "f":
            values = normal(*place.shape, seed=number, dtype=dtype)
            place.value = 0.5 + values**2 if name.endswith(("var", "weight")) else values
    return net


def residual(channels=3):
    g = Graph()
    x = g.input("x")
    h = g.apply(Conv2d(channels, channels, 3, padding=1, bias=False), x, name="conv1")
    h = g.apply(ReLU(), g.apply(BatchNorm2d(channels), h, name="bn1"))
    h = g.apply(Conv2d(channels, channels, 3, padding=1), h, name="conv2")
    g.apply(Add(), g.apply(BatchNorm2d(channels, affine=False), h, name="bn2"), x)
    return g


def kinds(net):
    return [type(node.layer).__name__ for node in net.nodes]


def test_one_convolution_with_its_normalisation():
    net = lively(Sequential(Conv2d(2, 5, 3, stride=2, groups=1), BatchNorm2d(5, eps=0.1)))
    x = normal(2, 2, 7, 7)
    made = folded(net)
    assert kinds(made) == ["Conv2d"]
    np.testing.assert_allclose(made(x), net(x), rtol=1e-12, atol=1e-12)
    assert abs(made(x) - net[0](x)).max() > 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nested_blocks(dtype):
    net = lively(Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU(), residual()), dtype)
    x = normal(2, 2, 7, 7, dtype=dtype)
    made, want = folded(net), net(x)
    assert kinds(made) == ["Conv2d", "ReLU", "Graph"]
    assert kinds(made.nodes[-1].layer) == ["Conv2d", "ReLU", "Conv2d", "Add"]
    assert made(x).dtype == dtype
    np.testing.assert_allclose(made(x), want, rtol=0, atol=64 * np.finfo(dtype).eps * want.max())


def read_twice():
    g = Graph()
    h = g.apply(Conv2d(2, 3, 3), g.input())
    g.output(g.apply(BatchNorm2d(3), h), g.apply(ReLU(), h))
    return g


def also_an_output():
    g = Graph()
    h = g.apply(Conv2d(2, 3, 3), g.input())
    g.output(h, g.apply(BatchNorm2d(3), h))
    return g


class Other(BatchNorm2d):
    """A user's normalisation, which computes something else."""

    def forward(self, x, **options):
        y, saved = super().forward(x, **options)
        return y * y, saved


@pytest.mark.parametrize(
    "make",
    [
        read_twice,
        also_an_output,
        lambda: Sequential(Conv2d(2, 3, 3), LeakyReLU(), BatchNorm2d(3)),
        lambda: Sequential(BatchNorm2d(2), Conv2d(2, 3, 3)),
        lambda: Sequential(Conv2d(2, 3, 3), Other(3)),
    ],
    ids=["read twice", "an output", "not next", "the other way round", "another one"],
)
def test_what_does_not_fold_stays_the_net_itself(make):
    net = lively(make())
    assert folded(net) is net


def test_a_step_sees_every_change():
    net = lively(Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU()), "float32")
    x, step = normal(4, 2, 7, 7, dtype="float32"), gcv.InferenceStep(net)

    def agrees():
        want = net(x)
        np.testing.assert_allclose(step(x), want, rtol=0, atol=1e-5 * want.max())
        return want

    seen = [agrees()]
    net.forward(x, **TRAIN)  # running statistics
    seen.append(agrees())
    net[0].weight.value = 2 * net[0].weight.value
    seen.append(agrees())
    net.load_state_dict({name: np.asarray(value + 1) for name, value in net.state_dict().items()})
    seen.append(agrees())
    net.zero_grad()
    y, saved = net.forward(x, train=True, update=False)
    optimizer = gcv.SGD(net.parameters(), lr=0.5)
    net.backward(np.ones_like(y) * x[:1, :1, :5, :5], saved)
    optimizer.step()
    seen.append(agrees())
    for before, after in pairwise(seen):
        assert abs(before - after).max() > 1e-3


def test_weights_that_nobody_has_read_are_drawn_as_in_the_net():
    def make():
        return Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), Conv2d(3, 4, 1), Conv2d(4, 2, 1))

    x = normal(1, 2, 5, 5, dtype="float32")
    want = make()(x)
    np.testing.assert_allclose(gcv.InferenceStep(make())(x), want, rtol=1e-4, atol=1e-5)


def test_the_net_is_left_alone():
    net = lively(Sequential(Conv2d(2, 3, 3), BatchNorm2d(3)))
    before = {name: value.copy() for name, value in net.state_dict().items()}
    gcv.InferenceStep(net)(normal(1, 2, 5, 5))
    assert kinds(net) == ["Conv2d", "BatchNorm2d"]
    for name, value in net.state_dict().items():
        assert value.tobytes() == before[name].tobytes()


def packings(monkeypatch):
    """How often weights are packed from here on."""
    counts, real = [], run.pack
    monkeypatch.setattr(run, "pack", lambda *given: counts.append(given) or real(*given))
    return counts


@pytest.mark.parametrize("kernel", ["direct", "winograd"])
def test_weights_are_packed_once_for_each_version(monkeypatch, kernel):
    first, second = (Conv2d(6, 6, 3, padding=1, algorithm=kernel) for _ in range(2))
    net = Sequential(first, second)
    images = normal(1, 6, 8, 8, seed=3).astype("float32")
    step, counts, wanted = gcv.InferenceStep(net), packings(monkeypatch), net(images)
    counts.clear()
    for _ in range(3):
        np.testing.assert_array_equal(step(images), wanted)
    assert len(counts) == 2
    first.weight.value = 2 * first.weight.value
    np.testing.assert_array_equal(step(images), net(images))
    assert len(counts) == 2 + 2 + 2  # anew, and the net itself each time


def test_weights_made_for_a_single_call_are_not_kept(monkeypatch):
    step = gcv.InferenceStep(Sequential(TableConv2d(3, [(0, 1), (1, 2), (0, 2)], 3)))
    images = normal(1, 3, 8, 8, seed=3).astype("float32")
    for _ in range(3):
        step(images)
    assert step._planned[2]._forms == {}


def test_a_form_that_another_thread_made_meanwhile_stays():
    """Its address may be in use already."""
    weight, others = np.ones(4, np.float32), []
    store = keeping.Store([weight])

    def prepare(place):
        others.append(store.form("packed", weight, 64, lambda at: None))

    assert store.form("packed", weight, 64, prepare) == others[0]
