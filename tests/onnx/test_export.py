"""Nets as ONNX files: what the file says is what the net computes."""

import json
import sys

import numpy as np
import pytest
from layer_table import TABLE, exported
from onnx import numpy_helper
from onnx_reference import opened, run

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import DtypeError, GraphError, OptionError, RunError, ShapeError
from gpuconv.graph import Graph, Sequential
from gpuconv.onnx import writer
from gpuconv.onnx.exporter_forms import FORMS, REFUSED
from gpuconv.random import Stream

MORE = [
    (lambda: layers.LocalResponseNorm(5, 0.5, 0.75, 2.0), (2, 7, 3, 3)),
    (lambda: layers.LocalResponseNorm(3, 0.5), (2, 6, 4)),
    (lambda: layers.MaxPool2d(2, 3, 0, 3, ceil_mode=True), (1, 2, 5, 9)),
    (lambda: layers.MaxPool2d(3, 2, ((1, 0), (0, 1)), ceil_mode=True), (2, 1, 6, 7)),
    (lambda: layers.AvgPool2d(3, 2, 1, ceil_mode=True), (2, 1, 6, 5)),
    (lambda: layers.AvgPool2d(2, 1, 2), (1, 1, 3, 3)),
    (lambda: layers.AvgPool2d(3, 2, ((1, 0), (0, 1)), True, False), (1, 1, 6, 6)),
    (lambda: layers.AdaptiveAvgPool2d((2, 3)), (2, 2, 4, 6)),
    (lambda: layers.AdaptiveAvgPool2d((3, 4)), (2, 2, 7, 5)),
    (lambda: layers.ConvTranspose2d(2, 3, 3, 2, 1, 1), (1, 2, 3, 4)),
    (lambda: layers.ELU(0.5), (2, 3)),
]
ROWS = [
    pytest.param(row.make, row.feed, id=f"{kind.__name__}{number}")
    for kind, rows in TABLE.items()
    for number, row in enumerate(rows)
    if kind in FORMS
]
ROWS += [
    pytest.param(
        lambda dtype, make=make: make(),
        lambda dtype, shape=shape: [Stream(3).normal(shape).astype(dtype)],
        id=f"more{number}",
    )
    for number, (make, shape) in enumerate(MORE)
]


def dims(infos):
    return [
        [d.dim_param or d.dim_value or None for d in i.type.tensor_type.shape.dim] for i in infos
    ]


def small():
    """Every kind of name: a shared layer, a graph in a graph, buffers, an alias at the end."""
    net, conv = Graph(), layers.Conv2d(2, 2, 3, padding=1)
    block = Sequential(layers.BatchNorm2d(2), layers.ReLU())
    h = net.apply(conv, net.apply(conv, net.input("image"), name="first"), name="again")
    h = net.apply(layers.Flatten(), net.apply(block, h, name="block"))
    net.apply(layers.Dropout(), net.apply(layers.Linear(50, 4), h, name="head"), name="end")
    net.initialize(1)
    net.input_shape, net.mean, net.std = (2, 5, 5), (0.5, 0.25), (1.0, 2.0)
    return net


@pytest.mark.parametrize(("make", "feed"), ROWS)
def test_a_layer_computes_the_same_as_its_file(make, feed, tmp_path):
    layer, xs, path = make("float32"), feed("float32"), tmp_path / "layer.onnx"
    gcv.onnx.save(layer, path, tuple(x.shape[1:] for x in xs))
    (y,) = run(opened(path), *xs)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, layer(*xs), rtol=1e-5, atol=1e-5)


def test_no_padding_is_as_wide_as_its_window(tmp_path):
    layer, path = layers.MaxPool2d(2, 3, 0, 3, ceil_mode=True), tmp_path / "layer.onnx"
    gcv.onnx.save(layer, path, (2, 5, 9))
    *_, pool = opened(path).graph.node
    (pads,) = (list(a.ints) for a in pool.attribute if a.name == "pads")
    assert max(pads) < 2  # onnxruntime refuses the file otherwise, onnx.reference does not


def test_every_layer_has_a_form_or_a_reason():
    assert exported() == {*FORMS, *REFUSED}
    assert not FORMS.keys() & REFUSED.keys()


def test_a_net_keeps_its_names_values_and_batches(tmp_path):
    net, path = small(), tmp_path / "net.onnx"
    gcv.onnx.save(net, path, metadata={"who": "me"})
    model = opened(path)
    kept = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    state = {n: a for n, a in net.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert kept.keys() == state.keys()
    assert all((kept[name] == state[name]).all() for name in state)
    assert dims(model.graph.input) == [["N", 2, 5, 5]]
    assert dims(model.graph.output) == [["N", 4]]
    said = {prop.key: prop.value for prop in model.metadata_props}
    assert said["who"] == "me"
    assert json.loads(said["gpuconv.preprocessing"])["mean"] == [0.5, 0.25]
    for batch in (1, 3):
        x = Stream(7).normal((batch, 2, 5, 5)).astype("float32")
        np.testing.assert_allclose(run(model, x)[0], net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [15, 21])
def test_other_opsets_and_float64(opset, tmp_path):
    net, path = small().astype("float64"), tmp_path / "net.onnx"
    gcv.onnx.save(net, path, opset=opset)
    model, x = opened(path), Stream(7).normal((2, 2, 5, 5)).astype("float64")
    assert [(o.domain, o.version) for o in model.opset_import] == [("", opset)]
    np.testing.assert_allclose(run(model, x)[0], net(x), rtol=1e-6, atol=1e-6)


def test_outputs_that_are_inputs_or_come_twice(tmp_path):
    net, path = Graph(), tmp_path / "net.onnx"
    a, b = net.input("a"), net.input("b")
    both = net.apply(layers.Concat(axis=0), a, b)
    net.output(net.apply(layers.Dropout(), a), both, both)
    gcv.onnx.save(net, path, ((3,), (3,)))
    model, x = opened(path), np.ones((2, 3), "float32")
    assert dims(model.graph.output) == [["N", 3], [None, 3], [None, 3]]
    assert (
        len({info.name for ends in (model.graph.input, model.graph.output) for info in ends}) == 5
    )
    for y, expected in zip(run(model, x, 2 * x), net(x, 2 * x), strict=True):
        np.testing.assert_array_equal(y, expected)


def test_the_same_net_gives_the_same_bytes(tmp_path):
    for name in "ab":
        gcv.onnx.save(small(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Strange(layers.ReLU):
    """What it changes, nobody knows."""


class Own(Sequential):
    """Runs in a way of its own."""

    def forward(self, *xs, **options):
        return super().forward(*xs, **options)


def test_layers_without_a_form_are_refused_all_at_once(tmp_path):
    inner = Sequential(Strange(), Own(layers.ReLU()))
    net = Sequential(layers.ReLU(), Strange(), inner)
    expected = (
        r"^onnx.save: layers without an ONNX form: Strange \('1', '2\.0'\): .*; "
        r"Own \('2\.1'\): .*; nothing was written$"
    )
    with pytest.raises(OptionError, match=expected):
        gcv.onnx.save(net, tmp_path / "net.onnx", (3,))
    with pytest.raises(OptionError, match=r"MSELoss \(the net\): a loss .* without it"):
        gcv.onnx.save(layers.MSELoss(), tmp_path / "net.onnx", ((3,), (3,)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "match", "shape", "options"),
    [
        (OptionError, "opset", (2, 5, 5), {"opset": 14}),
        (OptionError, "opset 9999 is newer", (2, 5, 5), {"opset": 9999}),
        (OptionError, "must be \\(C, H, W\\)", 5, {}),
        (OptionError, "input_shape", (2, 0, 5), {}),
        (ShapeError, "channels", (3, 5, 5), {}),
        (OptionError, "metadata", (2, 5, 5), {"metadata": {"a": 1}}),
        (OptionError, "metadata", (2, 5, 5), {"metadata": 5}),
        (GraphError, "got 2 inputs, expected 1", ((2, 5, 5), (2, 5, 5)), {}),
    ],
)
def test_bad_options_write_nothing(error, match, shape, options, tmp_path):
    with pytest.raises(error, match=match):
        gcv.onnx.save(small(), tmp_path / "net.onnx", shape, **options)
    assert not list(tmp_path.iterdir())


def test_bad_nets_write_nothing(tmp_path, monkeypatch):
    path, net = tmp_path / "net.onnx", small()
    with pytest.raises(OptionError, match="expected a net, got dict"):
        gcv.onnx.save(net.state_dict(), path)
    with pytest.raises(OptionError, match="without the batch; got None"):
        gcv.onnx.save(layers.ReLU(), path)
    with pytest.raises(OptionError, match="does the net take it"):
        gcv.onnx.save(layers.LocalResponseNorm(4), path, (6,))
    with pytest.raises(GraphError, match="applied to 1 values; its forward takes a, b"):
        gcv.onnx.save(layers.Add(), path, (6,))
    with pytest.raises(RunError, match="cannot be written"):
        gcv.onnx.save(net, tmp_path / "no" / "net.onnx")
    net.children()["head"].astype("float64")
    with pytest.raises(DtypeError, match="float32 and float64"):
        gcv.onnx.save(net, path)
    monkeypatch.setattr(writer, "LIMIT", 100)
    with pytest.raises(OptionError, match=r"bytes of values, and one ONNX file holds 100"):
        gcv.onnx.save(small(), path)
    assert not list(tmp_path.iterdir())


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OptionError, match=r"pip install 'gpuconv\[onnx\]'"):
        gcv.onnx.save(small(), tmp_path / "net.onnx")
