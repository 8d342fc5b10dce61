"""The examples run and do what they say."""

import json
import runpy
import sys

import pytest
from house_rules import ROOT
from test_data_images import picture, save

import gpuconv as gcv
from gpuconv.data.measure import measure
from gpuconv.errors import OptionError


def load(name):
    return runpy.run_path(str(ROOT / "examples" / name))


def test_every_example_is_run_here():
    found = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert found == {
        "inspect_step.py",
        "photo_folder.py",
        "plain_vs_residual.py",
        "residual_digits.py",
        "torch_function.py",
        "transfer_learning.py",
    }


def test_inspect_step(capsys):
    assert load("inspect_step.py")["main"]() > 0
    assert "conv1.weight" in capsys.readouterr().out


@pytest.mark.slow
def test_residual_digits(capsys):
    assert load("residual_digits.py")["main"](epochs=2) > 0.85
    assert "epoch 1" in capsys.readouterr().out


def without_times(runs):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in runs]


def test_plain_vs_residual_goes_on_where_it_was_stopped(tmp_path, capsys):
    example = load("plain_vs_residual.py")
    path = tmp_path / "plain_vs_residual_quick.json"
    example["main"](quick=True, folder=tmp_path)
    whole = json.loads(path.read_text())
    made = [(run["kind"], run["depth"]) for run in whole["runs"]]
    assert made == [(kind, depth) for depth in (8, 14) for kind in ("plain", "residual")]
    assert (tmp_path / "plain_vs_residual_quick.png").read_bytes().startswith(b"\x89PNG")
    path.write_bytes(example["written"](whole | {"runs": whole["runs"][:3]}))
    assert "residual 14, seed 0" in capsys.readouterr().out
    example["main"](quick=True, folder=tmp_path)
    told = capsys.readouterr().out
    assert "plain 8, seed" not in told
    assert "residual 14, seed 0" in told
    again = json.loads(path.read_text())
    assert without_times(again["runs"]) == without_times(whole["runs"])
    with pytest.raises(OptionError, match="has runs with other settings; name another --folder"):
        example["started"](path, example["FULL"])


def test_plain_vs_residual_counts_the_seeds_in_which_the_deeper_net_is_worse():
    errors = {20: (0.02, 0.03, 0.04), 56: (0.05, 0.01, 0.08)}
    runs = [
        {"kind": "plain", "depth": depth, "seed": seed, "train_error": error}
        for depth, found in errors.items()
        for seed, error in enumerate(found)
    ]
    assert load("plain_vs_residual.py")["verdict"](runs, "plain") == (
        "plain: training error 20 layers 3.00%, 56 layers 4.67%; deeper is worse in 2 of 3 seeds"
    )


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


def test_photo_folder(tmp_path):
    example, photos = load("photo_folder.py"), {}
    for number, title in enumerate("ab"):
        photos[title] = save(tmp_path / f"{title}.png", picture(40 * number, 60, 90))
    out = tmp_path / "out"
    example["make"](photos, out, 16, side=12)
    found = measure(gcv.data.image_folder(out))
    assert (found.counts, len(found.bad)) == ([16, 16], 2)
    assert found.kinds == {
        "JPEG RGB": 16,
        "JPEG L": 4,
        "JPEG CMYK": 4,
        "JPEG RGB turned by EXIF": 4,
        "PNG I;16": 2,
        "GIF P animated": 2,
    }
    assert example["photographs"]().get("admiral") is not None  # matplotlib is among the tests' own
