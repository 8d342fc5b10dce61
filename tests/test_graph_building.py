"""Building graphs: names, errors, state dict keys; random streams, aliases, shapes."""

import numpy as np
import pytest
from graph_parts import TRAIN, block, forked, normal

from gpuconv import ops
from gpuconv.errors import GraphError, OptionError, ShapeError
from gpuconv.graph import Graph, Sequential
from gpuconv.layers import Add, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Tanh
from gpuconv.random import Stream

# Names


def names(graph):
    return [node.name for node in graph.nodes]


def test_unnamed_nodes_are_counted_per_type():
    g = Graph()
    h = g.input()
    for layer in (ReLU(), Conv2d(1, 1, 1), ReLU(), Sequential(Tanh()), MaxPool2d(1)):
        h = g.apply(layer, h)
    h = g.apply(ReLU(), h, name="last")
    assert names(g) == ["relu0", "conv2d0", "relu1", "sequential0", "maxpool2d0", "last"]
    assert g.inputs == ["x"]


def test_sequential_numbers_its_layers_or_takes_names():
    net = Sequential(ReLU(), {"conv": Conv2d(1, 1, 1), "pool": MaxPool2d(1)}, Tanh())
    assert names(net) == ["0", "conv", "pool", "3"]
    assert len(net) == 4
    assert isinstance(net[1], Conv2d)
    assert net.append(ReLU()) is net
    assert names(net)[-1] == "4"


def test_state_dict_keys_are_paths_and_a_shared_layer_has_its_first():
    shared = Linear(2, 2, bias=False)
    net = Sequential(block(), shared, Sequential({"again": shared, "own": Linear(2, 2)}))
    parameters = ["conv1.weight", "conv1.bias", "batchnorm2d0.weight", "batchnorm2d0.bias"]
    buffers = ["running_mean", "running_var", "num_batches_tracked"]
    assert list(net.state_dict()) == [
        *(f"0.{name}" for name in parameters),
        *(f"0.batchnorm2d0.{name}" for name in buffers),
        "0.conv2.weight",
        "0.conv2.bias",
        "1.weight",
        "2.own.weight",
        "2.own.bias",
    ]
    assert [name for name, _ in net.named_buffers()] == [f"0.batchnorm2d0.{b}" for b in buffers]


def test_a_shared_batch_norm_is_saved_once_and_counts_every_pass():
    shared = BatchNorm2d(2)
    net = Sequential(shared, Sequential(shared))
    assert len(net.state_dict()) == 5
    net.forward(normal(3, 2, 2, 2, dtype="float32"), train=True)
    assert shared.num_batches_tracked.value == 2


# Errors


def test_names_that_are_taken_or_none():
    g = Graph()
    x = g.input("x")
    g.apply(ReLU(), x, name="a")
    for bad, why in (
        ("x", "the name 'x' is taken"),
        ("a", "the name 'a' is taken"),
        ("a.b", "the name 'a.b' must be a non-empty string without '.'"),
        ("", "the name '' must be a non-empty string"),
        (7, "the name 7 must be a non-empty string"),
        (["a"], r"the name \['a'\] must be a non-empty string"),
    ):
        with pytest.raises(GraphError, match=f"graph: {why}"):
            g.apply(ReLU(), x, name=bad)
        with pytest.raises(GraphError, match=f"graph: {why}"):
            g.input(bad)
    assert names(g) == ["a"]
    assert g.inputs == ["x"]


def test_a_default_name_steps_aside_for_a_given_one():
    g = Graph()
    x = g.input()
    g.apply(ReLU(), x, name="relu0")
    g.apply(ReLU(), x)
    assert names(g) == ["relu0", "relu1"]


def test_a_refused_node_leaves_the_graph_as_it_was():
    g, other = Graph(), Graph()
    x = g.input()
    with pytest.raises(GraphError):
        g.apply(ReLU(), other.input())
    g.apply(ReLU(), x)
    assert names(g) == ["relu0"]


def test_handles_of_other_graphs_and_what_is_no_handle():
    g, other = Graph(), Graph()
    foreign = other.input("z")
    with pytest.raises(GraphError, match="graph: 'relu0' was given <z>, a value of another graph"):
        g.apply(ReLU(), foreign)
    with pytest.raises(GraphError, match="graph: 'output' was given <z>, a value of another"):
        g.output(foreign)
    with pytest.raises(GraphError, match="was given 'x'; expected a handle from input"):
        g.apply(ReLU(), "x")
    with pytest.raises(GraphError, match="apply: expected a Layer, got <class 'gpuconv.layers"):
        g.apply(ReLU, g.input())
    with pytest.raises(GraphError, match="output: expected at least one handle"):
        g.output()


@pytest.mark.parametrize(
    ("layer", "count", "text"),
    [
        (Add(), 1, r"'node' \(Add\) was applied to 1 values; its forward takes a, b"),
        (Add(), 3, "'node' .* applied to 3 values"),
        (ReLU(), 0, r"'node' \(ReLU\) was applied to 0 values; its forward takes x"),
        (ReLU(), 2, "'node' .* applied to 2 values"),
        (forked(), 1, r"graph: got 1 inputs, expected 2 \(x, z\)"),
    ],
)
def test_a_layer_is_given_as_many_values_as_it_takes(layer, count, text):
    g = Graph()
    values = [g.input(name) for name in "abc"][:count]
    with pytest.raises(GraphError, match=text):
        g.apply(layer, *values, name="node")
    assert names(g) == []


def test_a_graph_cannot_be_inside_itself():
    outer, inner = Graph(), Graph()
    x, z = outer.input(), inner.input()
    inner.apply(ReLU(), z)
    outer.apply(inner, x)
    for graph, handle, layer in ((outer, x, outer), (inner, z, outer)):
        with pytest.raises(GraphError, match="a graph cannot be in itself"):
            graph.apply(layer, handle)
    assert outer(normal(2)).shape == (2,)


def test_a_graph_without_layers_has_no_output():
    g = Graph()
    g.input()
    for use in (lambda: g(normal(1)), lambda: g.outputs, lambda: Sequential()(normal(1))):
        with pytest.raises(GraphError, match="graph: no layer was applied, so there is no output"):
            use()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_inputs(count):
    text = rf"graph: got {count} inputs, expected 2 \(x, z\)"
    with pytest.raises(GraphError, match=text):
        forked()(*[normal(1)] * count)
    with pytest.raises(GraphError, match=text):
        forked().output_shape(*[(1,)] * count)


def test_an_error_says_in_which_node_it_happened():
    net = Sequential(ReLU(), Sequential({"conv": Conv2d(3, 1, 1)}))
    with pytest.raises(ShapeError, match="conv2d: input has 2 channels") as caught:
        net(normal(1, 2, 3, 3, dtype="float32"))
    assert caught.value.__notes__ == ["in node 'conv' (Conv2d)", "in node '1' (Sequential)"]
    with pytest.raises(OptionError) as caught:
        Sequential(Dropout()).forward(normal(2), train=True)
    assert caught.value.__notes__ == ["in node '0' (Dropout)"]
    _, saved = Sequential(ReLU()).forward(normal(2), keep=True)
    with pytest.raises(ShapeError) as caught:
        Sequential(ReLU()).backward(normal(3), saved)
    assert caught.value.__notes__ == ["in node '0' (ReLU)"]


# Random streams


def drawn(net, x):
    """Which units each forward pass of ``net`` leaves, as a table of bits."""
    return net.forward(x, **TRAIN)[0] != 0


def dropouts(*positions):
    """A graph whose outputs are dropouts of its input."""
    g = Graph()
    x = g.input()
    g.output(*(g.apply(layer, x) for layer in positions))
    return g


def test_every_dropout_has_its_own_mask_even_where_it_is_shared():
    x, shared = np.ones((4, 50)), Dropout()
    ys = dropouts(Dropout(), shared, Dropout(), shared).forward(x, **TRAIN)[0]
    assert len({y.tobytes() for y in ys}) == 4
    expected = [ops.dropout(x, 0.5, Stream(5, 0, number)) for number in range(4)]
    for y, want in zip(ys, expected, strict=True):
        np.testing.assert_array_equal(y, want)


def test_nested_graphs_number_their_streams_as_flat_ones():
    x = np.ones((4, 50))
    flat = Sequential(Dropout(0.1), Tanh(), Dropout(0.2), Dropout(0.3))
    nested = Sequential(Dropout(0.1), Sequential(Tanh(), Dropout(0.2)), Sequential(Dropout(0.3)))
    assert flat.draws == nested.draws == 3
    ys = [net.forward(x, **TRAIN)[0] for net in (flat, nested)]
    assert ys[0].tobytes() == ys[1].tobytes()


def test_a_shared_graph_draws_anew_at_every_node():
    inner = Sequential(Dropout(), Dropout())
    g = Graph()
    x = g.input()
    g.output(g.apply(inner, x), g.apply(inner, x))
    assert g.draws == 4
    first, second = g.forward(np.ones((4, 50)), **TRAIN)[0]
    assert (first != second).any()


def test_seed_and_step_change_the_masks():
    x, net = np.ones((4, 50)), Sequential(Dropout())
    streams = Stream(5), Stream(5, 1), Stream(6)
    masks = {net.forward(x, train=True, rng=rng)[0].tobytes() for rng in streams}
    assert len(masks) == 3


# Aliases and shapes


def test_aliases_are_found_through_nodes():
    assert Sequential(Flatten()).aliases
    assert Sequential(Flatten(), Dropout()).aliases
    assert not Sequential(Flatten(), ReLU()).aliases
    g = Graph()
    x = g.input()
    g.apply(ReLU(), x)
    g.output(x)
    assert g.aliases


def test_shapes_and_flops_without_running():
    graph, shapes = forked(), [(2, 1, 3, 2), (2, 3, 3, 2)]
    ys = graph(*(normal(*s, dtype="float32") for s in shapes))
    assert graph.output_shape(*shapes) == tuple(y.shape for y in ys)
    assert graph.outputs == 2
    convolutions = 2 * (4 * 4 * 3) + 2 * (2 * 2 * 3) + 4 * 2
    assert graph.flops(*shapes) == 2 * 2 * (6 * convolutions + 24 * 3)
    with pytest.raises(ShapeError) as caught:
        Sequential(Conv2d(1, 2, 3), Sequential(MaxPool2d(9))).output_shape((1, 1, 8, 8))
    assert caught.value.__notes__ == ["in node '0' (MaxPool2d)", "in node '1' (Sequential)"]
