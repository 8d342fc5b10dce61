"""summary(): totals, FLOPs of known nets, bytes that forward really keeps, and how it prints."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import GraphError, ShapeError
from gpuconv.formats import Formatted
from gpuconv.random import Stream


def arrays_in(saved):
    """Every array in what a forward pass kept, with its bytes; idle lanes not counted."""
    if isinstance(saved, Formatted):
        yield root(saved.data), saved.size * saved.data.itemsize
    elif isinstance(saved, np.ndarray):
        yield root(saved), root(saved).nbytes
    elif isinstance(saved, (list, tuple)):
        for part in saved:
            yield from arrays_in(part)


def root(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def really_kept(net, *shapes):
    """Bytes of the distinct arrays that a training pass keeps, views counted as their base."""
    xs = [Stream(1, i).normal(shape).astype(np.float32) for i, shape in enumerate(shapes)]
    _, saved = net.forward(*xs, train=True, rng=Stream(0))
    parameters = {id(root(value)) for value in net.state_dict().values()}
    kept = {id(a): size for a, size in arrays_in(saved) if id(a) not in parameters}
    return sum(kept.values())


def residual(channels, stride=1):
    g = gcv.Graph()
    x = g.input("x")
    h = g.apply(layers.Conv2d(channels, 6, 3, stride, padding=1, bias=False), x)
    h = g.apply(layers.ReLU(), g.apply(layers.BatchNorm2d(6), h))
    h = g.apply(layers.BatchNorm2d(6), g.apply(layers.Conv2d(6, 6, 3, padding=1), h))
    if stride != 1 or channels != 6:
        x = g.apply(layers.Conv2d(channels, 6, 1, stride), x, name="shortcut")
    g.apply(layers.ReLU(), g.apply(layers.Add(), h, x))
    return g


def residual_net():
    return gcv.Sequential(
        residual(3, 2),
        layers.LeakyReLU(0.1),
        residual(6),
        layers.Dropout(0.5),
        layers.AdaptiveAvgPool2d(2),
        layers.Flatten(),
        layers.Dropout(0.0),
        layers.Linear(24, 5),
    )


def branches():
    """Two inputs, a shared layer, values that several nodes keep."""
    g = gcv.Graph()
    a, b = g.input("a"), g.input("b")
    shared = layers.Conv2d(2, 4, 3)
    left, right = g.apply(shared, a), g.apply(shared, b)
    joined = g.apply(layers.Concat(), g.apply(layers.Tanh(), left), g.apply(layers.ELU(), right))
    pooled = g.apply(layers.MaxPool2d(2), joined)
    flat = g.apply(layers.Flatten(), pooled)
    g.output(g.apply(layers.Linear(8, 3), flat), g.apply(layers.Sigmoid(), flat))
    return g


NETS = {
    "lenet5": (lambda: gcv.models.create("lenet5"), (1, 28, 28)),
    "lenet5 with dropout": (lambda: gcv.models.create("lenet5", dropout=0.5), (1, 28, 28)),
    "lenet5_1998": (lambda: gcv.models.create("lenet5_1998"), (1, 28, 28)),
    "residual": (residual_net, (3, 8, 8)),
    "branches": (branches, (2, 4, 4), (2, 4, 4)),
}


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("name", NETS)
def test_kept_bytes_are_those_that_forward_keeps(monkeypatch, name, batch_size):
    monkeypatch.setenv("GPUCONV_SIMD", "avx2")  # wider blocks of 120 channels: Flatten copies them
    make, *shapes = NETS[name]
    net = make()
    made = net.summary(*shapes, batch_size=batch_size)
    assert made.kept_bytes == really_kept(net, *((batch_size, *shape) for shape in shapes)) > 0


@pytest.mark.parametrize("name", NETS)
def test_rows_add_up_and_shapes_are_those_of_a_real_pass(name):
    make, *shapes = NETS[name]
    net = make()
    made = net.summary(*shapes, batch_size=2)
    parameters = net.parameters()
    assert sum(row.parameters for row in made.rows) == made.parameters
    assert made.parameters == sum(parameter.value.size for parameter in parameters)
    assert made.trainable == made.parameters
    assert sum(row.flops for row in made.rows) == made.flops == net.flops(*made.input_shapes)
    assert made.input_shapes == tuple((2, *shape) for shape in shapes)
    outputs = net(*(np.zeros(shape, np.float32) for shape in made.input_shapes))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert {y.shape for y in outputs} <= {row.output_shape for row in made.rows}


def test_a_shared_layer_works_twice_and_counts_once():
    rows = {row.name: row for row in branches().summary((2, 4, 4), (2, 4, 4)).rows}
    assert rows["conv2d0"].parameters == 4 * 2 * 9 + 4
    assert rows["conv2d1"].parameters == 0
    assert rows["conv2d0"].flops == rows["conv2d1"].flops == 2 * 4 * 2 * 9 * 2 * 2


def test_frozen_parameters_are_not_trainable():
    net = gcv.models.create("lenet5")
    net[0].weight.trainable = False
    made = net.summary((1, 28, 28))
    assert made.parameters - made.trainable == 150


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    [("alexnet", 714_188_480), ("lenet5", 416_520)],
)
def test_flops_of_known_nets(name, multiply_adds):
    net = gcv.models.create(name)
    made = net.summary(net.input_shape)
    assert made.flops == 2 * multiply_adds
    assert net.summary(net.input_shape, batch_size=4).flops == 4 * made.flops


def test_a_summary_computes_and_draws_nothing():
    net = gcv.models.create("alexnet")
    assert net.summary(net.input_shape, batch_size=128).parameters == 61_100_840
    assert not any(parameter.drawn for parameter in net.parameters())


def test_how_a_summary_prints():
    lines = str(residual_net().summary((3, 8, 8), batch_size=2)).splitlines()
    heads = ("node", "layer", "output shape", "parameters", "MFLOP", "kept KiB")
    assert all(head in lines[1] for head in heads)
    names = [line.split()[1] for line in lines if line.startswith("│")]
    assert names[:3] == ["0.conv2d0", "0.batchnorm2d0", "0.relu0"]
    assert "0.shortcut" in names
    assert names[-2:] == ["7", "total"]
    assert "(2, 6, 4, 4)" in lines[3]
    assert not any("\x1b" in line or line != line.rstrip() for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_total_is_printed_as_it_is_returned():
    made = gcv.models.create("lenet5").summary((1, 28, 28))
    total = next(line for line in str(made).splitlines() if "total" in line)
    cells = total.replace("│", " ").split()
    expected = ["total", "61,706", f"{made.flops / 1e6:.2f}", f"{made.kept_bytes / 1024:.1f}"]
    assert cells == expected


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="conv2d: input has 3 channels") as error:
        gcv.models.create("lenet5").summary((3, 28, 28))
    assert error.value.__notes__ == ["in node 'conv1' (Conv2d)"]
    with pytest.raises(GraphError, match="got 1 inputs, expected 2"):
        branches().summary((2, 4, 4))
