"""The command line where something is wrong: one red line, exit code 2, and what stays on disk."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from command_line import QUICK, contents, fail, finish, run, start, succeed
from test_data import some, write_idx
from test_data_images import fill, truncate

import gpuconv as gcv
from gpuconv import device
from gpuconv.cli._session import Session
from gpuconv.cli.train import INTERRUPTED
from gpuconv.data import embedded
from gpuconv.errors import DeviceError
from gpuconv.training.checkpoint import Run


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A run folder on IDX data of four classes."""
    root = tmp_path_factory.mktemp("errors")
    write_idx(root, "train", *some(20))
    write_idx(root, "t10k", *some(8))
    succeed("train", *QUICK, "--data", root, "--out", root / "run")
    return root / "run"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refuse(folder: Path, *arguments) -> str:
    """The error of a command that must leave the folder as it was."""
    before = contents(folder), sorted(folder.rglob("*"))
    line = fail(*arguments)
    assert (contents(folder), sorted(folder.rglob("*"))) == before
    return line


def status(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("lenet", "no model named 'lenet'; did you mean 'lenet5'? there are alexnet, "),
        ("--data nowhere", "nowhere: neither mnist, fashion-mnist nor a folder; name one of these"),
        ("--device tpu", "unknown device 'tpu'; expected one of cpu, cuda"),
        ("--schedule linear", "--schedule linear: expected cosine or constant"),
        ("--momentum 1.5", "SGD: momentum must be in [0, 1), got 1.5"),
        ("--lr inf", "--lr inf: expected a finite number"),
        ("--clip-norm 0", "optimizer: clip_norm must be > 0, got 0.0"),
        ("--dropout 1", "lenet5: dropout must be in [0, 1), got 1.0"),
        ("--seed 18446744073709551616", "seed must be in [0, 2**64)"),
    ],
)
def test_bad_options_of_train(here, arguments, text):
    assert text in refuse(here, "train", *arguments.split())


@pytest.mark.parametrize(
    "arguments",
    ["--epochs 0", "--max-steps 0", "--batch-size 0", "--lr -1", "--nonsense", "lenet5 more"],
)
def test_bad_usage_of_train(here, arguments):
    result = run("train", *arguments.split())
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert not list(here.iterdir())


def why_no_gpu() -> str | None:
    try:
        device.get("cuda")
    except DeviceError as error:
        return str(error)
    return None


@pytest.mark.skipif(why_no_gpu() is None, reason="there is a CUDA GPU")
def test_a_gpu_that_is_not_there(here):
    assert refuse(here, "train", "--device", "cuda") == why_no_gpu()


def test_an_existing_run_folder_is_left_alone(here):
    (here / "run").mkdir()
    (here / "run" / "notes.txt").write_text("mine")
    # It is refused before any data is read.
    line = refuse(here, "train", "--data", "nowhere", "--out", "run")
    assert line.startswith("run: this run folder exists already")


def test_a_run_folder_below_a_file(here):
    (here / "file").touch()
    assert "cannot make the run folder" in refuse(here, "train", "--out", "file/run")


def test_digits_that_are_damaged(here, monkeypatch):
    copy = here / "digits.npz"
    raw = bytearray(embedded.DIGITS.read_bytes())
    raw[5000] ^= 1
    copy.write_bytes(raw)
    monkeypatch.setattr(embedded, "DIGITS", copy)
    assert "digits.npz: damaged: its SHA-256 is" in refuse(here, "train")
    copy.unlink()
    assert "cannot be read (No such file" in refuse(here, "train")


def test_idx_files_that_are_damaged_or_missing(here):
    data = here / "data"
    data.mkdir()
    write_idx(data, "train", *some(9))
    assert "t10k-images-idx3-ubyte" in refuse(here, "train", "--data", "data")
    write_idx(data, "t10k", *some(3))
    truncate(data / "train-images-idx3-ubyte.gz")
    line = refuse(here, "train", "--data", "data")
    assert line.startswith("data/train-images-idx3-ubyte.gz: ")
    assert line.endswith("get the file again")


def test_image_folders_that_are_not_what_they_should_be(here):
    (here / "empty").mkdir()
    assert "empty: holds neither IDX files" in refuse(here, "train", "--data", "empty")
    fill(here / "pictures", left=3, right=3)
    (here / "pictures" / "void").mkdir()
    assert "class 'void' is empty" in refuse(here, "train", "--data", "pictures")
    (here / "pictures" / "void" / "a.png").write_text("no image")
    line = refuse(here, "train", "--data", "pictures", "--skip-bad")
    assert "none of the 1 images of class 'void' can be read" in line


def test_an_unreadable_image_is_named_and_the_run_failed(here):
    root = fill(here / "pictures", left=6, right=6)
    bad = gcv.data.image_folder(root, "train").paths[4]
    truncate(bad)
    line = fail("train", "--data", "pictures", "--batch-size", 4, "--out", "run")
    assert line.startswith(f"{bad.relative_to(here)}: cannot be read as an image")
    left = status(here / "run")
    assert (left["status"], left["error"]) == ("failed", line)
    assert Run.open("run").net().output_shape((1, 1, 28, 28)) == (1, 2)


def test_an_unreadable_test_image_leaves_the_trained_net(here):
    root = fill(here / "pictures", left=6, right=6)
    truncate(gcv.data.image_folder(root, "test").paths[0])
    line = fail("train", "--data", "pictures", *QUICK, "--out", "run")
    assert "cannot be read as an image" in line
    assert status(here / "run")["status"] == "failed"
    fresh = gcv.models.create("lenet5", num_classes=2).state_dict()
    kept = Run.open("run").net().state_dict()
    assert any((kept[name] != value).any() for name, value in fresh.items())


def test_a_loss_that_is_not_finite(here):
    options = ["--lr", "1e25", "--max-steps", 9, "--shift", 0, "--read-every", 2]
    line = fail("train", *options, "--schedule", "constant", "--out", "run")
    assert "training: the loss is nan at step 2 (epoch 1)" in line
    assert "set back to its state after step 0" in line
    assert "Try a lower learning rate (1e+25 there)" in line
    left = status(here / "run")
    assert (left["status"], left["error"]) == ("failed", line)
    assert "final" not in left
    fresh = gcv.models.create("lenet5").state_dict()
    for name, value in Run.open("run").net().state_dict().items():
        np.testing.assert_array_equal(value, fresh[name])


@pytest.mark.parametrize("options", [[], ["--eval-every", 1]])
def test_a_last_step_that_breaks_the_net(here, options):
    options = [*options, "--lr", "1e25", "--max-steps", 1, "--schedule", "constant"]
    line = fail("train", *options, "--out", "run")
    assert line.startswith("training: the test loss is ")
    assert "after step 1; the net was set back to its state after step 0" in line
    assert status(here / "run")["status"] == "failed"
    found = gcv.evaluate(Run.open("run").net(), gcv.data.mnist("test"))
    assert np.isfinite(found.loss)
    for text in (here / "run" / "run.json", here / "run" / "metrics.jsonl"):
        assert "NaN" not in text.read_text()


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_what_is_no_run(here, good, command):
    images = ["a.png"] if command == "predict" else []
    line = refuse(here, command, "nothing", *images)
    assert line.startswith("nothing: no run here (run.json is missing)")
    shutil.copytree(good, "copy")
    (here / "copy" / "run.json").unlink()
    assert "copy: no run here" in refuse(here, command, "copy", *images)
    (here / "copy" / "run.json").write_text("{")
    assert "copy/run.json: cannot be read" in refuse(here, command, "copy", *images)


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_weights_that_are_missing_or_damaged(here, good, command):
    shutil.copytree(good, "copy")
    images = ["a.png"] if command == "predict" else []
    weights = here / "copy" / "model.safetensors"
    truncate(weights)
    assert "not a readable safetensors file" in refuse(here, command, "copy", *images)
    gcv.save_weights(weights, gcv.models.create("lenet5", num_classes=3))
    assert "load_state_dict: fc3.weight has shape" in refuse(here, command, "copy", *images)
    weights.unlink()
    assert "model.safetensors: there is no such file" in refuse(here, command, "copy", *images)


def test_eval_on_data_that_does_not_fit(here, good):
    line = refuse(here, "eval", good, "--data", "mnist")
    assert line.startswith("eval: mnist has classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 but the run was")
    assert "nowhere: neither" in refuse(here, "eval", good, "--data", "nowhere")
    assert "no split 'half'" in refuse(here, "eval", good, "--split", "half")
    assert "unknown device 'tpu'" in refuse(here, "eval", good, "--device", "tpu")


def test_predict_on_what_is_no_image(here, good):
    (here / "text.png").write_text("no image")
    fill(here, pictures=1)
    images = ["pictures/000.png", "text.png"]
    assert "text.png: cannot be read as an image" in refuse(here, "predict", good, *images)
    assert "gone.png: no such image" in refuse(here, "predict", good, "gone.png", "--json")
    assert run("predict", good).exit_code == 2


def test_unknown_names(here):
    assert "no op named 'conv3d'; registered: " in refuse(here, "kernels", "conv3d")
    assert "no model named 'vgg'" in refuse(here, "summary", "vgg")
    assert "num_classes must be" in refuse(here, "summary", "lenet5", "--num-classes", 0)
    assert run("launch").exit_code == 2
    assert run().exit_code == 2


@pytest.fixture
def signalled(monkeypatch):
    """Sends signals to this process after the first steps are told, from within training."""
    numbers, tell = [], Session.tell

    def told(self, state):
        tell(self, state)
        while numbers:
            os.kill(os.getpid(), numbers.pop(0))

    monkeypatch.setattr(Session, "tell", told)
    return numbers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_after_the_step(here, signalled, number):
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    signalled.append(number)
    result = run("train", "--read-every", 4, "--out", "run")
    assert result.exit_code == INTERRUPTED == 130
    lines = result.stdout.splitlines()
    assert "stopping after this step; Ctrl-C again to stop at once" in lines
    assert lines[-1].startswith("test accuracy 0.")
    left = status(here / "run")
    assert (left["status"], left["final"]["steps"]) == ("interrupted", 4)
    assert len((here / "run" / "metrics.jsonl").read_text().splitlines()) == 4
    assert succeed("eval", "run")[-1] == lines[-1]
    assert {s: signal.getsignal(s) for s in before} == before


def test_a_second_interruption_ends_at_once(here, signalled):
    signalled += [signal.SIGINT, signal.SIGINT]
    result = run("train", "--read-every", 2, "--out", "run")
    assert result.exit_code == INTERRUPTED
    assert "test accuracy" not in result.stdout
    assert status(here / "run")["status"] == "interrupted"
    assert Run.open("run").net().state_dict()


def test_ctrl_c_in_a_process_of_its_own(here):
    write_idx(here, "train", *some(20))
    write_idx(here, "t10k", *some(8))
    options = ["--data", ".", "--epochs", 1_000_000, "--lr", 0.001, "--out", "run"]
    process = start("train", *options, cwd=here)
    while not (line := process.stdout.readline()).startswith("epoch"):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, err) == (130, "")
    assert out.splitlines()[-1].startswith("test accuracy ")
    assert status(here / "run")["status"] == "interrupted"
    assert Run.open("run").net().state_dict()


def test_no_traceback_and_no_colour_in_a_pipe(here):
    code, out, err = finish(start("eval", "nothing", cwd=here))
    assert (code, out) == (2, "")
    assert (
        err == "error: nothing: no run here (run.json is missing); give a folder of gpuconv train\n"
    )
