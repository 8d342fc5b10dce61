"""gpuconv train --freeze, --lr-scale, and a head for other classes than the weights have."""

import json

import pytest
from command_line import QUICK, fail, succeed
from test_data import some, write_idx

import gpuconv as gcv


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Data of four classes, and weights of lenet5 for ten."""
    root = tmp_path_factory.mktemp("transfer")
    data = root / "letters"
    data.mkdir()
    write_idx(data, "train", *some(36))
    write_idx(data, "t10k", *some(9))
    gcv.save_weights(root / "ten.safetensors", gcv.models.create("lenet5", seed=5))
    return root


def trained(base, out, *options):
    data = ("--data", base / "letters", "--weights", base / "ten.safetensors")
    lines = succeed("train", "lenet5", *data, *QUICK, *options, "--out", out)
    return lines, gcv.load_weights(out / "model.safetensors")


def test_frozen_parts_keep_the_weights_and_the_head_is_new(base, tmp_path):
    frozen = ("--freeze", "conv1", "--freeze", "fc1", "--seed", 3)
    lines, found = trained(base, tmp_path / "run", *frozen)
    given = gcv.load_weights(base / "ten.safetensors")
    assert lines[1] == "model: lenet5, 61,196 parameters (48,276 frozen), input 1x28x28"
    (said,) = (line for line in lines if line.startswith("weights:"))
    assert said.endswith("has 10 classes and the data 4: fc3.weight and fc3.bias start anew")
    assert found["fc3.weight"].shape == (4, 84)
    same = {n for n in given if found[n].tobytes() == given[n].tobytes()}
    assert same == {f"{n}.{what}" for n in ("conv1", "fc1") for what in ("weight", "bias")}
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert (settings["freeze"], settings["lr_scale"]) == (["conv1", "fc1"], [])


def test_the_new_head_is_that_of_replace_head(base, tmp_path):
    everything = ("--lr-scale", "fc3=0", "--weight-decay", 0, "--seed", 3)
    _, found = trained(base, tmp_path / "run", *everything)
    net = gcv.models.create("lenet5", seed=8).replace_head(4, seed=3)
    assert found["fc3.weight"].tobytes() == net.state_dict()["fc3.weight"].tobytes()


def test_lr_scale_is_the_parts_own_rate(base, tmp_path):
    _, found = trained(base, tmp_path / "run", "--lr-scale", "conv1=0", "--lr-scale", "fc1=0.5")
    given = gcv.load_weights(base / "ten.safetensors")
    assert found["conv1.weight"].tobytes() == given["conv1.weight"].tobytes()
    assert found["conv2.weight"].tobytes() != given["conv2.weight"].tobytes()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--freeze", "conv"), "nothing to train is named 'conv'; did you mean 'conv2'?"),
        (("--lr-scale", "conv=1"), "nothing to train is named 'conv'; did you mean 'conv2'?"),
        (("--lr-scale", "conv1"), "--lr-scale conv1: expected NAME=FACTOR"),
        (("--lr-scale", "conv1=-1"), "expected NAME=FACTOR"),
        (("--lr-scale", "conv1=nan"), "expected NAME=FACTOR"),
        (("--lr-scale", "conv1=1", "--lr-scale", "conv1=2"), "has a factor already"),
    ],
)
def test_what_is_refused_leaves_no_run(base, tmp_path, options, text):
    data = ("--data", base / "letters", *QUICK)
    assert text in fail("train", "lenet5", *data, *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_weights_than_the_models_are_refused_whole(base, tmp_path):
    options = ("--data", base / "letters", "--weights", base / "ten.safetensors", *QUICK)
    text = fail("train", "lenet5_1998", *options, "--out", tmp_path / "run")
    assert "missing" in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", [[], ["--freeze", "conv1"]])
def test_a_resumed_run_stays_frozen(base, tmp_path, given):
    """The settings freeze again what they froze; naming another part is refused."""
    data = ("--data", base / "letters", "--weights", base / "ten.safetensors")
    run = tmp_path / "run"
    options = ("--epochs", 1, "--batch-size", 8, "--device", "cpu", "--freeze", "conv1")
    succeed("train", "lenet5", *data, *options, "--out", run)
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(info | {"status": "interrupted"}))
    assert "freeze was ['conv1'] there" in fail("train", "--resume", run, "--freeze", "conv2")
    succeed("train", "--resume", run, *given)
    found, was = (
        gcv.load_weights(p) for p in (run / "model.safetensors", base / "ten.safetensors")
    )
    assert found["conv1.weight"].tobytes() == was["conv1.weight"].tobytes()
