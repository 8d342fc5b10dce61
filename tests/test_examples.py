"""The examples run and do what they say."""

import runpy
import sys

import pytest
from house_rules import ROOT

import gpuconv as gcv


def load(name):
    return runpy.run_path(str(ROOT / "examples" / name))


def test_every_example_is_run_here():
    found = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert found == {
        *("inspect_step.py", "residual_digits.py", "torch_function.py", "transfer_learning.py")
    }


def test_inspect_step(capsys):
    assert load("inspect_step.py")["main"]() > 0
    assert "conv1.weight" in capsys.readouterr().out


@pytest.mark.slow
def test_residual_digits(capsys):
    assert load("residual_digits.py")["main"](epochs=2) > 0.85
    assert "epoch 1" in capsys.readouterr().out


def test_the_parts_of_transfer_learning():
    example = load("transfer_learning.py")
    few = example["few"](example["enlarged"]("train"), 2, 0)
    assert few.images.shape == (20, 28, 28, 1)
    assert not few.images[:, :4].any()
    assert few.images[:, 4:24, 4:24].max() > 200
    for way, frozen in (("frozen features", 4), ("fine-tuned", 0), ("from scratch", 0)):
        net = example["start"](way, gcv.models.create("lenet5", seed=9).state_dict(), 1)
        assert len(net.frozen_names()) == frozen


@pytest.mark.slow
def test_transfer_learning(capsys, tmp_path):
    found = load("transfer_learning.py")["main"](["--quick", "--write", str(tmp_path)])
    scratch, frozen, tuned = (by_count[5][0] for by_count in found["accuracy"].values())
    assert min(frozen, tuned) > max(scratch, 0.6)
    assert "| 5 | 0." in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "transfer-learning.json",
        "transfer-learning.png",
    ]


def test_torch_function_says_that_it_needs_pytorch(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert load("torch_function.py")["main"]() == 1
    assert "needs PyTorch" in capsys.readouterr().err
