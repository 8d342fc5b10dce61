"""Weights on disk and the run folder: whole or not there, and what is damaged is named."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from command_line import contents

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import RunError, StateError
from gpuconv.training.checkpoint import Run, next_folder, replace_file

MODEL = {
    "name": "lenet5",
    "num_classes": 10,
    "dropout": 0.0,
    "input_shape": (1, 28, 28),
    "mean": (0.1307,),
    "std": (0.3081,),
}
INFO = {"model": MODEL, "data": "mnist", "classes": list("0123456789")}


def net_with_buffers():
    return gcv.Sequential(layers.Conv2d(1, 2, 3), layers.BatchNorm2d(2)).initialize(1)


def safetensors(dtype: str, size: int) -> bytes:
    """A file that holds one array of two elements."""
    entry = {"w": {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}}
    header = json.dumps(entry).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def test_weights_survive_the_disk_bit_for_bit(tmp_path):
    net, other = net_with_buffers(), net_with_buffers().initialize(2)
    net.forward(np.ones((2, 1, 4, 4), np.float32), train=True)
    gcv.save_weights(tmp_path / "w.safetensors", net)
    loaded = gcv.load_weights(tmp_path / "w.safetensors")
    assert set(loaded) == set(net.state_dict())
    other.load_state_dict(loaded)
    for name, value in net.state_dict().items():
        found = other.state_dict()[name]
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        assert found.tobytes() == value.tobytes()
    assert list(contents(tmp_path)) == ["w.safetensors"]


def test_saving_does_not_tie_the_net_to_the_file(tmp_path):
    net = net_with_buffers()
    gcv.save_weights(tmp_path / "w", net)
    before = (tmp_path / "w").read_bytes()
    for value in net.state_dict().values():
        value[...] = 7
    assert (tmp_path / "w").read_bytes() == before


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "w.safetensors"
    gcv.save_weights(path, net_with_buffers())
    before = path.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(RunError, match=r"w\.safetensors: cannot be written \(No space left.*disk"):
        gcv.save_weights(path, net_with_buffers().initialize(5))
    assert contents(tmp_path) == {"w.safetensors": before}


def test_the_new_file_is_complete_before_it_has_its_name(tmp_path, monkeypatch):
    seen, rename = [], os.replace

    def watched(source, target):
        seen.append((Path(source).read_bytes(), Path(target).read_bytes()))
        rename(source, target)

    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", watched)
    replace_file(path, b"new")
    assert seen == [(b"new", b"old")]
    assert contents(tmp_path) == {"f": b"new"}


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match=r"no/w: cannot be written \(No such file"):
        gcv.save_weights(tmp_path / "no" / "w", net_with_buffers())
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(RunError, match=r"file/w: cannot be written \(Not a directory"):
        gcv.save_weights(tmp_path / "file" / "w", net_with_buffers())
    assert contents(tmp_path) == {"file": b"kept"}


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 8 + b"{}",
        safetensors("F32", 8)[:-1],
        safetensors("F32", 8) + b"x",
        safetensors("BF16", 4),
        safetensors("F8_E4M3", 2),
    ],
)
def test_damaged_weights_are_refused(tmp_path, damaged):
    (tmp_path / "w").write_bytes(damaged)
    with pytest.raises(StateError, match=r"w: not a readable safetensors file \("):
        gcv.load_weights(tmp_path / "w")


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(StateError, match="w: there is no such file"):
        gcv.load_weights(tmp_path / "w")
    with pytest.raises(StateError, match="not a readable safetensors file"):
        gcv.load_weights(tmp_path)


def test_weights_of_another_model_change_nothing(tmp_path):
    gcv.save_weights(tmp_path / "w", gcv.models.create("lenet5", num_classes=3))
    net = gcv.models.create("lenet5", seed=4)
    before = {name: value.copy() for name, value in net.state_dict().items()}
    with pytest.raises(StateError, match=r"fc3\.weight has shape \(3, 84\).*expected \(10, 84\)"):
        net.load_state_dict(gcv.load_weights(tmp_path / "w"))
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    with pytest.raises(StateError, match="missing 0.bias"):
        net_with_buffers().load_state_dict(gcv.load_weights(tmp_path / "w"))


def test_a_run_is_what_was_written(tmp_path):
    run = Run.create(tmp_path / "deep" / "run", INFO)
    run.log({"step": 1, "loss": 2.5})
    run.log({"step": 2, "loss": 0.1})
    net = gcv.models.create("lenet5", seed=8)
    run.save(net)
    run.write(status="done", final={"test_accuracy": 0.5})
    opened = Run.open(run.folder)
    assert opened.info["status"] == "done"
    assert opened.info["final"] == {"test_accuracy": 0.5}
    assert opened.info["versions"]["numpy"] == np.__version__
    assert opened.info["versions"]["gpuconv"] == gcv.__version__
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [2.5, 0.1]
    loaded = opened.net()
    assert (loaded.input_shape, loaded.mean, loaded.std) == ((1, 28, 28), (0.1307,), (0.3081,))
    for name, value in net.state_dict().items():
        assert loaded.state_dict()[name].tobytes() == value.tobytes()
    assert list(contents(run.folder)) == ["metrics.jsonl", "model.safetensors", "run.json"]


def test_a_new_run_says_that_it_is_running(tmp_path):
    Run.create(tmp_path / "run", INFO)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_there_is_never_touched(tmp_path, kind):
    target = tmp_path / "run"
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    before = contents(tmp_path)
    with pytest.raises(RunError, match="run: this run folder exists already and is not overwri"):
        Run.create(target, INFO)
    assert contents(tmp_path) == before
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"run: cannot make the run folder \(Not a directory\)"):
        Run.create(tmp_path / "file" / "run", INFO)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "no run here .run.json is missing.; give a folder of gpuconv train"),
        (b"", "cannot be read"),
        (b'{"model": ', "cannot be read"),
        (b"\xff\xfe\0", "cannot be read"),
        (b"[1, 2]", "no model, data or classes"),
        (b'{"model": {}, "classes": []}', "no model, data or classes"),
    ],
)
def test_damaged_settings_are_refused(tmp_path, text, why):
    if text is not None:
        (tmp_path / "run.json").write_bytes(text)
    with pytest.raises(RunError, match=why):
        Run.open(tmp_path)


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(RunError, match=path.name):
            Run.open(path)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"model": 5}, RunError, r"run\.json: the model cannot be made"),
        ({"model": {**MODEL, "dropout": "much"}}, RunError, "cannot be made"),
        ({"model": {k: v for k, v in MODEL.items() if k != "mean"}}, RunError, "'mean'"),
        ({"model": {**MODEL, "input_shape": 28}}, RunError, "images cannot be prepared"),
        ({"model": {**MODEL, "name": "gone"}}, RunError, r"run\.json: .*no model named 'gone'"),
        ({"model": {**MODEL, "num_classes": 3}}, RunError, "names 10 classes"),
        ({"model": {**MODEL, "name": "alexnet"}}, StateError, "missing classifier"),
        ({"model": {**MODEL, "order": "RBG"}}, RunError, "order must be RGB"),
        ({"model": {**MODEL, "resize": 5}}, RunError, "resize must be an integer >= 28"),
        ({"classes": 10}, RunError, "cannot be made"),
    ],
)
def test_a_run_of_something_else_is_refused(tmp_path, change, error, text):
    run = Run.create(tmp_path / "run", INFO)
    run.save(gcv.models.create("lenet5"))
    run.write(**change)
    with pytest.raises(error, match=text):
        Run.open(run.folder).net()


def test_a_run_without_weights_is_refused(tmp_path):
    run = Run.create(tmp_path / "run", INFO)
    with pytest.raises(StateError, match=r"model\.safetensors: there is no such file"):
        run.net()


def test_a_run_whose_folder_went_away_says_so(tmp_path):
    run = Run.create(tmp_path / "run", INFO)
    (tmp_path / "run" / "run.json").unlink()
    (tmp_path / "run").rmdir()
    with pytest.raises(RunError, match=r"metrics\.jsonl: cannot be written"):
        run.log({"step": 1, "loss": 0.0})
    with pytest.raises(RunError, match=r"run\.json: cannot be written"):
        run.write(status="done")


def test_folders_are_numbered(tmp_path):
    root = tmp_path / "runs"
    assert next_folder(root, "lenet5") == root / "lenet5-001"
    for number in (1, 2, 4):
        (root / f"lenet5-{number:03d}").mkdir(parents=True)
    assert next_folder(root, "lenet5").name == "lenet5-003"
    (root / "lenet5-003").symlink_to(root / "nowhere")
    assert next_folder(root, "lenet5").name == "lenet5-005"
    assert next_folder(root, "alexnet").name == "alexnet-001"


def test_the_net_takes_the_images_that_its_run_says(tmp_path):
    says = {"input_shape": [3, 28, 28], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    run = Run.create(tmp_path / "run", {**INFO, "model": {**MODEL, **says}})
    run.save(gcv.models.create("lenet5"))
    net = Run.open(run.folder).net()
    assert {name: list(getattr(net, name)) for name in says} == says
