"""Every model as an ONNX file, and the command that writes it."""

import json

import numpy as np
import pytest
from command_line import QUICK, fail, run, succeed
from onnx_reference import opened
from onnx_reference import run as reference

import gpuconv as gcv
from gpuconv import models
from gpuconv.random import Stream
from gpuconv.training.checkpoint import Run

SMALL = ("lenet5_1998", "lenet5", "resnet20")


def images(net, count):
    return Stream(4).normal((count, *net.input_shape)).astype("float32")


def require_close(ours, theirs):
    """Within 1e-5 of the largest value."""
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize("name", SMALL)
def test_a_model_computes_the_same_as_its_file(name, tmp_path):
    net, path = models.create(name), tmp_path / "net.onnx"
    gcv.onnx.save(net, path)
    x = images(net, 2)
    require_close(net(x), reference(opened(path), x)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(models.models()))
def test_every_model_computes_the_same_in_onnxruntime(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="needs the package onnxruntime")
    net, path = models.create(name), tmp_path / "net.onnx"
    gcv.onnx.save(net, path)
    opened(path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = images(net, 2)
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    require_close(net(x), y)


def test_a_run_is_exported_with_its_classes(tmp_path):
    folder = tmp_path / "run"
    succeed("train", "lenet5", "--out", folder, *QUICK)
    (line,) = succeed("export", folder, "--to", "onnx")
    assert line.startswith(f"exported: {folder / 'model.onnx'}, ")
    model = opened(folder / "model.onnx")
    (said,) = (json.loads(p.value) for p in model.metadata_props)
    opened_run = Run.open(folder)
    assert said["classes"] == opened_run.info["classes"]
    net = opened_run.net()
    x = images(net, 2)
    require_close(net(x), reference(model, x)[0])


def test_a_model_is_exported_with_weights_from_a_file(tmp_path):
    net, weights, file = models.create("lenet5", seed=5), tmp_path / "w.npz", tmp_path / "n.onnx"
    gcv.save(weights, net)
    succeed("export", "lenet5", "--weights", weights, "--out", file)
    x = images(net, 1)
    require_close(net(x), reference(opened(file), x)[0])


def test_a_model_without_weights_says_so(tmp_path):
    done = run("export", "lenet5", "--out", tmp_path / "n.onnx", "--opset", 21)
    assert done.exit_code == 0
    assert "lenet5 has its initial values" in done.stderr
    assert opened(tmp_path / "n.onnx").opset_import[0].version == 21


def test_what_cannot_be_exported(tmp_path):
    file = tmp_path / "n.onnx"
    assert "expected onnx" in fail("export", "lenet5", "--to", "caffe", "--out", file)
    assert "no run here" in fail("export", tmp_path, "--out", file)
    assert "nosuch is neither a run folder nor a model" in fail("export", "nosuch", "--out", file)
    assert not file.exists()
