"""Graphs: forks, nesting, sharing, partial gradients, what is kept and what is freed."""

import weakref

import gradcheck
import numpy as np
import pytest
from graph_parts import TRAIN, Spy, forked, normal

from gpuconv.errors import GraphError, OptionError
from gpuconv.graph import Graph, Sequential
from gpuconv.layers import Add, Conv2d, Dropout, Linear, ReLU, Tanh
from gpuconv.random import Stream

# Gradients


@pytest.mark.parametrize("mode", [{}, TRAIN], ids=["eval", "train"])
def test_gradients_of_nested_graphs_with_forks(mode):
    graph = forked().astype("float64")
    gradcheck.check(graph, [normal(2, 1, 3, 2), normal(2, 3, 3, 2, seed=1)], **mode)


def test_gradients_of_a_layer_used_twice():
    shared = Linear(3, 3)
    net = Sequential(shared, Tanh(), Sequential(shared, Dropout(0.3)), shared).astype("float64")
    assert len(net.parameters()) == 2
    gradcheck.check(net, [normal(4, 3)], **TRAIN)


def test_a_value_may_be_read_twice_by_one_node_and_be_input_and_output():
    g = Graph()
    x = g.input()
    double = g.apply(Add(), x, x)
    g.output(double, x, double)
    a = normal(2, 3)
    ys = g(a)
    np.testing.assert_array_equal(ys[0], 2 * a)
    assert ys[1] is a
    gradcheck.check(g, [a])


def test_an_output_whose_gradient_is_none_counts_for_nothing():
    graph, xs = forked().astype("float64"), [normal(2, 1, 3, 2), normal(2, 3, 3, 2, seed=1)]
    y, dy, _, _ = gradcheck.gradients(graph, xs)
    _, _, some, grads = gradcheck.gradients(graph, xs, (dy[0], None))
    zeros = (dy[0], np.zeros_like(y[1]))
    _, _, same, zeroed = gradcheck.gradients(graph, xs, zeros)
    for got, want in zip(some, same, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    assert grads.pop("linear0.weight") is grads.pop("linear0.bias") is None
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, zeroed[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("need", [(True, False), (False, True), (False, False), False])
def test_only_the_input_gradients_that_are_needed(need):
    graph, xs = forked().astype("float64"), [normal(2, 1, 3, 2), normal(2, 3, 3, 2, seed=1)]
    _, dy, whole, grads = gradcheck.gradients(graph, xs)
    _, _, some, again = gradcheck.gradients(graph, xs, dy, need)
    wanted = need if isinstance(need, tuple) else (need, need)
    for want, full, got in zip(wanted, whole, some, strict=True):
        np.testing.assert_array_equal(got, full if want else None)
    for name, grad in grads.items():
        np.testing.assert_array_equal(again[name], grad)


def test_a_gradient_at_a_fork_is_a_new_array():
    g = Graph()
    x = g.input()
    h = g.apply(Add(), x, x)
    g.output(h, g.apply(Add(), h, x))
    dys = normal(2, 3), normal(2, 3, seed=1)
    before = [dy.copy() for dy in dys]
    _, saved = g.forward(normal(2, 3, seed=2), keep=True)
    dx = g.backward(dys, saved)
    np.testing.assert_allclose(dx, 2 * dys[0] + 3 * dys[1])
    for dy, then in zip(dys, before, strict=True):
        np.testing.assert_array_equal(dy, then)
        assert not np.shares_memory(dx, dy)


def test_a_frozen_stem_is_not_run_backwards():
    stem, head = Spy(), Spy()
    frozen = Conv2d(1, 2, 1)
    net = Sequential(stem, frozen, head, Conv2d(2, 1, 1))
    for parameter in frozen.parameters():
        parameter.trainable = False
    x = normal(1, 1, 2, 2, dtype="float32")
    _, _, dxs, _ = gradcheck.gradients(net, [x], need_dx=False)
    assert dxs == (None,)
    assert [c for c in stem.calls + head.calls if c[0] == "backward"] == []
    gradcheck.gradients(net, [x], need_dx=True)
    assert stem.calls[-1] == head.calls[-1] == ("backward", True)
    for parameter in frozen.parameters():
        parameter.trainable = True
    gradcheck.gradients(net, [x], need_dx=False)
    assert [c for c in stem.calls if c[0] == "backward"] == [("backward", True)]
    assert [c for c in head.calls if c[0] == "backward"] == [("backward", True)] * 2


# Saving and freeing


class Watch(Spy):
    """Notes which of the watched values are still alive when it runs."""

    def __init__(self, watched):
        super().__init__()
        self.watched, self.alive = watched, None

    def forward(self, x, **mode):
        self.alive = [ref() is not None for ref in self.watched]
        y, saved = super().forward(x, **mode)
        self.watched.append(weakref.ref(y))
        return y, saved


def test_values_are_freed_after_their_last_reader():
    watched = []
    g = Graph()
    spies = [Watch(watched) for _ in range(4)]
    first = g.apply(spies[0], g.input())
    second = g.apply(spies[1], first)
    third = g.apply(spies[2], second)
    joined = g.apply(Add(), first, third)
    g.apply(spies[3], joined)
    g(normal(2, 2))
    assert [spy.alive for spy in spies] == [[], [True], [True, True], [False, False, False]]


class Glance(Spy):
    """Notes its input, and whether the first one noted is still alive."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, x, **mode):
        self.seen.append(weakref.ref(x))
        self.alive = self.seen[0]() is not None
        return super().forward(x, **mode)


def test_an_input_that_nobody_else_holds_is_freed():
    seen = []
    net = Sequential(Glance(seen), Glance(seen))
    net.forward(normal(2, 2))
    assert (net[0].alive, net[1].alive) == (True, False)


def test_an_unused_value_is_freed_at_once():
    watched = []
    g = Graph()
    x = g.input()
    g.apply(Watch(watched), x)
    last = Watch(watched)
    g.apply(last, x)
    g(normal(2, 2))
    assert last.alive == [False]


def test_a_kept_value_lives_until_backward_has_used_it():
    net = Sequential(Tanh(), Tanh())
    y, saved = net.forward(normal(2, 2), keep=True)
    inner = weakref.ref(saved[0])
    assert saved[1] is y
    net.backward(y, saved)
    assert saved == []
    assert inner() is None
    with pytest.raises(GraphError, match="backward was run twice on what one forward saved"):
        net.backward(y, saved)


def test_nothing_is_saved_in_inference():
    net = Sequential(Tanh(), Sequential(Tanh()))
    assert net.forward(normal(2, 2))[1] is None
    with pytest.raises(OptionError, match="Sequential.backward: nothing was saved"):
        net.backward(normal(2, 2), None)


def test_modes_reach_every_node():
    spy = Spy()
    net = Sequential(Sequential(spy))
    net.forward(normal(1, 1), train=True, update=False, rng=Stream(3))
    assert spy.calls == [("forward", Stream(3), False)]


def test_a_graph_that_ran_may_grow():
    g = Graph()
    h = g.apply(ReLU(), g.input())
    x = np.array([[-1.0, 2.0]])
    assert g(x).tolist() == [[0.0, 2.0]]
    g.apply(Add(), h, h)
    assert g(x).tolist() == [[0.0, 4.0]]


def test_layers_after_a_nested_graph_draw_from_streams_of_their_own():
    inner = Sequential(Dropout(0.5), Dropout(0.5))
    g = Graph()
    x = g.input()
    g.output(g.apply(inner, x), g.apply(Dropout(0.5), x))
    ones, place = np.ones((8, 64)), Stream(3, 1)
    (_, last), _ = g.forward(ones, train=True, rng=place)
    masks = [Dropout(0.5).forward(ones, train=True, rng=place.at(k))[0] for k in range(3)]
    assert last.tobytes() == masks[2].tobytes()
    assert len({mask.tobytes() for mask in masks}) == 3
