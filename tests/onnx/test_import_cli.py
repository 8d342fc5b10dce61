"""gpuconv summary and predict of an ONNX file."""

import json

import models
import numpy as np
from command_line import fail, succeed
from onnx import helper
from PIL import Image

from gpuconv.data.preprocessing import KEY, Preprocessing
from gpuconv.onnx import load


def test_summary_of_an_onnx_file(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(models.small_net().SerializeToString())
    lines = succeed("summary", path)
    count = sum(parameter.size for parameter in load(path).parameters())
    assert lines[-1].startswith(f"{count} parameters (")
    assert any("(1, 5)" in line for line in lines)
    assert "an .onnx file has its own" in fail("summary", path, "--num-classes", 3)
    assert "not a whole ONNX file" in fail("summary", _cut(path))


def test_predict_prepares_images_as_the_metadata_says(tmp_path):
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["a"]),
        helper.make_node("Flatten", ["a"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"], transB=1),
    ]
    weight = np.array([[1], [-1]], np.float32)  # which class depends on the mean that is taken off
    proto = models.model(nodes, {"x": ["n", 1, 4, 4]}, {"w": weight})
    path, image = tmp_path / "net.onnx", tmp_path / "grey.png"
    Image.new("L", (4, 4), 100).save(image)
    path.write_bytes(proto.SerializeToString())
    assert "does not say how images are prepared" in fail("predict", path, image)
    for mean, best in ((0.2, "light"), (0.8, "dark")):
        said = Preprocessing((1, 4, 4), (mean,), (0.1,), classes=("light", "dark"))
        del proto.metadata_props[:]
        proto.metadata_props.add(key=KEY, value=said.dumps())
        path.write_bytes(proto.SerializeToString())
        (found,) = json.loads("".join(succeed("predict", path, image, "--json", "--device", "cpu")))
        assert found["top"][0]["class"] == best
    proto.metadata_props[0].value = "{"
    path.write_bytes(proto.SerializeToString())
    assert "makes no sense" in fail("predict", path, image)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-9])
    return path
