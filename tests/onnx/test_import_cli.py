"""gpuconv summary of an ONNX file."""

import models
from command_line import fail, succeed

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


def _cut(path):
    path.write_bytes(path.read_bytes()[:-9])
    return path
