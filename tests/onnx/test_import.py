"""ONNX models as graphs: the numbers of onnx's own reference, names, training."""

import models
import numpy as np
import pytest
from onnx import helper, numpy_helper

import gpuconv as gcv
from gpuconv.onnx import load

C4 = {"w": (4, 3, 3, 3), "b": (4,)}
IMAGE, LINE = (2, 3, 7, 6), (2, 3, 9)
# operator, attributes, shape of x, shapes of the constants, opset
CASES = {
    "conv": ("Conv", {"pads": [0, 1, 2, 0], "strides": [2, 1]}, IMAGE, C4, 17),
    "dilated": ("Conv", {"dilations": [2, 1], "pads": [1, 1, 1, 1]}, IMAGE, C4, 17),
    "grouped": ("Conv", {"group": 3}, IMAGE, {"w": (6, 1, 3, 2)}, 6),
    "same_upper": ("Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, IMAGE, C4, 11),
    "same_lower": (
        "Conv", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, IMAGE, {"w": (4, 3, 2, 2)}, 11,
    ),
    "conv1d": ("Conv", {"pads": [2, 0], "strides": [2]}, LINE, {"w": (4, 3, 3), "b": (4,)}, 17),
    "transpose": (
        "ConvTranspose",
        {"strides": [2, 3], "pads": [1, 0, 0, 1], "output_padding": [1, 0]},
        IMAGE,
        {"w": (3, 4, 3, 2), "b": (4,)},
        17,
    ),
    "max": ("MaxPool", {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1]}, IMAGE, {}, 12),
    "max_ceil": (
        "MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, IMAGE, {}, 12,
    ),
    "max1d": ("MaxPool", {"kernel_shape": [2], "strides": [2]}, LINE, {}, 12),
    "average": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 0, 0]}, IMAGE, {}, 11),
    "average_all": (
        "AveragePool",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        IMAGE,
        {},
        11,
    ),
    "global_average": ("GlobalAveragePool", {}, IMAGE, {}, 17),
    "global_max": ("GlobalMaxPool", {}, IMAGE, {}, 17),
    "gemm": (
        "Gemm", {"transB": 1, "alpha": 0.5, "beta": 2.0}, (2, 5), {"w": (4, 5), "b": (4,)}, 13,
    ),
    "gemm_columns": ("Gemm", {}, (2, 5), {"w": (5, 4), "b": (1,)}, 13),
    "prelu": ("PRelu", {}, IMAGE, {"w": (3, 1, 1)}, 16),
    "elu": ("Elu", {"alpha": 0.7}, IMAGE, {}, 17),
    "selu": ("Selu", {}, IMAGE, {}, 17),
    "leaky": ("LeakyRelu", {"alpha": 0.3}, IMAGE, {}, 17),
    "clip": ("Clip", {"min": -0.5, "max": 0.25}, IMAGE, {}, 6),
    "softmax": ("Softmax", {}, (3, 5), {}, 13),
    "log_softmax": ("LogSoftmax", {"axis": 1}, IMAGE, {}, 13),
    "pad": ("Pad", {"pads": [0, 1, 2, 0, 0, 0, 1, 1]}, IMAGE, {}, 2),
    "flatten": ("Flatten", {}, IMAGE, {}, 17),
}  # fmt: skip


def _single(name):
    kind, attributes, shape, constants, opset = CASES[name]
    arrays = {n: models.normal(*s, number=i + 1) for i, (n, s) in enumerate(constants.items())}
    node = helper.make_node(kind, ["x", *arrays], ["y"], **attributes)
    return models.model([node], {"x": shape}, arrays, max(opset, 6)), models.normal(*shape)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_the_numbers_of_the_reference(name):
    proto, x = _single(name)
    expected = models.reference(proto, x=x)
    y = load(proto.SerializeToString())(x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_a_net_with_an_open_batch_keeps_the_initialisers_names(tmp_path):
    proto = models.small_net()
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    net = load(path)
    for batch in (1, 3):
        x = models.normal(batch, 2, 8, 7, number=batch)
        np.testing.assert_allclose(net(x), models.reference(proto, x=x), rtol=1e-4, atol=1e-5)
    stored = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    state = net.state_dict()
    trained = set(stored) - {"zero", "rest"}
    assert trained <= set(state)
    assert {name.split(".")[-1] for name in set(state) - trained} == {"num_batches_tracked"}
    np.testing.assert_array_equal(state["conv.weight"], stored["conv.weight"])
    np.testing.assert_array_equal(state["fc.weight"], stored["fc.weight"].T)
    assert net.input_shape == (2, 8, 7)
    net.load_state_dict({name: array.copy() for name, array in state.items()})


def test_a_scale_and_a_shift_of_each_channel_are_one_layer():
    nodes = [
        helper.make_node("Unsqueeze", ["g", "axes"], ["g4"]),
        helper.make_node("Unsqueeze", ["b", "axes"], ["b4"]),
        helper.make_node("Mul", ["x", "g4"], ["m"]),
        helper.make_node("Add", ["m", "b4"], ["y"]),
    ]
    constants = {"g": models.normal(3), "b": models.normal(3, number=1), "axes": np.array([1, 2])}
    proto, x = models.model(nodes, {"x": IMAGE}, constants), models.normal(*IMAGE, number=2)
    net = load(proto.SerializeToString())
    np.testing.assert_allclose(net(x), models.reference(proto, x=x), rtol=1e-5, atol=1e-6)
    assert list(net.state_dict()) == ["g", "b"]
    assert len(net.nodes) == 1


def test_an_imported_net_learns():
    net = load(models.small_net().SerializeToString())
    step = gcv.TrainStep(net, gcv.layers.CrossEntropyLoss(), gcv.SGD(net.parameters(), lr=0.05))
    x, labels = models.normal(6, 2, 8, 7), np.arange(6) % 5
    losses = [float(step(x, labels)) for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]


def test_an_initialiser_that_two_nodes_read_is_one_parameter():
    nodes = [helper.make_node("Gemm", [a, "w"], [b], transB=1) for a, b in ("xh", "hy")]
    net = load(models.model(nodes, {"x": (2, 4)}, {"w": models.normal(4, 4)}).SerializeToString())
    assert list(net.state_dict()) == ["w"]
    assert len(net.parameters()) == 1
