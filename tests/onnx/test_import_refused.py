"""Models that are damaged or ask for too much: one typed error that names node and tensor."""

import itertools

import models
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from gpuconv.errors import OnnxError
from gpuconv.onnx import load
from gpuconv.random import Stream


def _relu(source="x", made="y", name="act"):
    return helper.make_node("Relu", [source], [made], name=name)


def _one(nodes, constants=None, **options):
    return models.model(nodes, {"x": (2, 3)}, constants, **options)


def _with_tensor(**fields):
    proto = _one([helper.make_node("Gemm", ["x", "w"], ["y"], name="fc")])
    proto.graph.initializer.append(TensorProto(name="w", **fields))
    return proto


def _external(location, **entries):
    proto = _with_tensor(data_type=1, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        proto.graph.initializer[0].external_data.add(key=key, value=value)
    return proto


MALFORMED = {
    "cycle": (_one([_relu("h", "y", "a"), _relu("y", "h", "b")]), "'a'.*'h' is made by.*cycle"),
    "missing": (_one([_relu("nowhere")]), "'act'.*'nowhere' is missing"),
    "output": (_one([_relu(made="z")]), "no node computes the output 'y'"),
    "twice": (_one([_relu(), _relu()]), "'y' is made twice"),
    "opset": (_one([_relu()], opset=5), "opset 5; expected 6 to"),
    "attribute": (
        _one([helper.make_node("LeakyRelu", ["x"], ["y"], name="act", alpha="no")]),
        "'act'.*alpha is of another type",
    ),
    "dtype": (_with_tensor(data_type=10, dims=[3, 4], raw_data=bytes(24)), "'w' has element type"),
    "bytes": (_with_tensor(data_type=1, dims=[3, 4], raw_data=bytes(47)), "'w' holds 47 bytes"),
    "overflow": (_with_tensor(data_type=1, dims=[2**62, 2**62], raw_data=b""), "'w' holds 0 bytes"),
    "negative": (_with_tensor(data_type=1, dims=[-1, -4], raw_data=bytes(16)), "'w' has dims"),
    "rank": (
        _one([helper.make_node("Conv", ["x", "w"], ["y"], name="c")], {"w": models.normal(4)}),
        "'c'.*-1 spatial dimensions",
    ),
    "shapes": (
        _one([helper.make_node("Gemm", ["x", "w"], ["y"], name="fc")], {"w": models.normal(5, 4)}),
        r"'fc'.*\(2, 3\), expected \(N, 5\)",
    ),
    "huge": (
        _one(
            [helper.make_node("ConstantOfShape", ["s"], ["w"], name="fill"),
             helper.make_node("Gemm", ["x", "w"], ["y"])],
            {"s": np.array([2**31, 2**31])},
        ),
        "'fill'.*asks for 4611686018427387904",
    ),
    "bytes_only": (_external("w.bin"), "lies outside the bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_model_is_refused_by_name(name):
    proto, message = MALFORMED[name]
    with pytest.raises(OnnxError, match=message):
        load(proto.SerializeToString())


def test_constants_that_double_are_refused_before_memory_is_taken():
    names = ["c", *(f"c{i}" for i in range(40))]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=0) for a, b in itertools.pairwise(names)]
    proto = _one([*nodes, _relu()], {"c": np.zeros(1000, np.int64)})
    with pytest.raises(OnnxError, match="more than constants may take"):
        load(proto.SerializeToString())


def test_every_unknown_operator_is_in_one_message():
    nodes = [helper.make_node(k, ["x"], [f"{k}{i}"]) for i, k in enumerate(("Sin", "Cos", "Sin"))]
    with pytest.raises(OnnxError, match=r"outside the set: Cos \(1\), Sin \(2\); supported: Add"):
        load(_one(nodes).SerializeToString())


@pytest.mark.parametrize(
    ("location", "entries", "message"),
    [
        ("../w.bin", {}, "outside the model's folder"),
        ("/etc/passwd", {}, "outside the model's folder"),
        ("link.bin", {}, "outside the model's folder"),
        ("none.bin", {}, "not there"),
        ("w.bin", {"offset": "8"}, "bytes 8 to 56"),
        ("w.bin", {"length": "-1"}, "expected numbers"),
    ],
)
def test_external_data_stays_in_the_models_folder(tmp_path, location, entries, message):
    inside = tmp_path / "model"
    inside.mkdir()
    weight = models.normal(3, 4)
    for folder in (tmp_path, inside):
        (folder / "w.bin").write_bytes(weight.tobytes())
    (inside / "link.bin").symlink_to(tmp_path / "w.bin")
    (inside / "m.onnx").write_bytes(_external("w.bin").SerializeToString())
    np.testing.assert_array_equal(load(inside / "m.onnx").state_dict()["w"], weight.T)
    (inside / "m.onnx").write_bytes(_external(location, **entries).SerializeToString())
    with pytest.raises(OnnxError, match=message):
        load(inside / "m.onnx")


def _mutants(count):
    """Bytes of a good model, changed, dropped, doubled or cut short."""
    whole = np.frombuffer(models.small_net().SerializeToString(), np.uint8)
    head = len(whole) - sum(
        numpy_helper.to_array(t).nbytes for t in models.small_net().graph.initializer
    )
    for number in range(count):
        kind, at, to = (int(n) for n in Stream(3, number).uniform((3,), 0, 1) * (4, head, 256))
        start = whole[:at].tobytes()
        yield [
            start + bytes([to]) + whole[at + 1 :].tobytes(),
            start + whole[at + 1 :].tobytes(),
            start + whole[at : at + to].tobytes() + whole[at:].tobytes(),
            start,
        ][kind]


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_mutated_models_load_or_are_refused(count):
    refused = 0
    for content in _mutants(count):
        try:
            load(content)
        except OnnxError:
            refused += 1
    assert refused > count // 4


@pytest.mark.parametrize("name", [b"act", b"Relu"])
def test_a_name_that_is_no_text_is_refused(name):
    content = _one([_relu()]).SerializeToString().replace(name, b"\xff" * len(name))
    with pytest.raises(OnnxError, match="no UTF-8"):
        load(content)
