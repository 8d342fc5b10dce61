"""The command line where all goes well: every command, what it prints and what it writes."""

import json
import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest
import typer.main
from command_line import QUICK, accuracy, contents, environment, finish, run, start, succeed
from PIL import Image
from test_data import some, write_idx
from test_data_images import fill, truncate

import gpuconv as gcv
from gpuconv import device
from gpuconv.cli import app
from gpuconv.training.checkpoint import Run

COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of ten steps on the digits, and what it printed."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    lines = succeed("train", "--max-steps", 10, "--device", "cpu", "--lr", 0.02, "--out", folder)
    return folder, lines


@pytest.fixture
def digit_files(tmp_path):
    """PNG files of three test digits."""
    data = gcv.data.mnist("test")
    paths = [tmp_path / f"digit-{number}-of [many].png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.fromarray(data[number][0][..., 0]).save(path)
    return paths


def test_what_training_prints(trained):
    folder, lines = trained
    assert lines[0] == "device: cpu (as asked)"
    assert lines[1] == "model: lenet5, 61,706 parameters, input 1x28x28"
    assert lines[2] == "data: mnist, 9,000 training and 1,000 test images, 10 classes"
    assert re.fullmatch(r"epoch   1  step     10  loss \d.*images/s", lines[3])
    assert lines[4] == f"run: {folder}"
    assert 0.1 < accuracy(lines[5]) < 1
    assert len(lines) == 6


def test_a_run_folder_holds_everything(trained):
    folder, lines = trained
    kept = ["metrics.jsonl", "model.safetensors", "plan.json", "run.json"]
    assert list(contents(folder)) == kept
    info = json.loads((folder / "run.json").read_text())
    assert info["status"] == "done"
    assert (info["device"], info["data"]) == ("cpu", "mnist")
    assert info["classes"] == list("0123456789")
    assert set(info["versions"]) >= {"gpuconv", "python", "numpy"}
    final = info["final"]
    assert (final["steps"], final["test_images"]) == (10, 1000)
    assert f"{final['test_accuracy']:.4f}" == lines[-1].split()[-1]
    assert np.isfinite(final["test_loss"])
    steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in steps] == list(range(1, 11))
    assert all(np.isfinite(record["loss"]) for record in steps)


def test_the_settings_of_a_run_are_those_of_the_options(trained):
    settings = json.loads((trained[0] / "run.json").read_text())["settings"]
    options = {p.name for p in typer.main.get_command(app).commands["train"].params}
    assert options - set(settings) <= {"out_folder", "resume", "help"}
    assert (settings["lr"], settings["max_steps"], settings["dropout"]) == (0.02, 10, 0.0)
    assert settings["seed"] == 0


def test_the_weights_of_a_run_are_those_that_were_measured(trained):
    found = gcv.evaluate(Run.open(trained[0]).net(), gcv.data.mnist("test"))
    final = Run.open(trained[0]).info["final"]
    assert (found.loss, found.accuracy) == (final["test_loss"], final["test_accuracy"])


def test_eval_repeats_the_figures(trained):
    folder, lines = trained
    assert succeed("eval", folder)[-1] == lines[-1]
    found = json.loads("\n".join(succeed("eval", folder, "--json")))
    final = Run.open(folder).info["final"]
    assert found == {
        "split": "test",
        "loss": final["test_loss"],
        "accuracy": final["test_accuracy"],
        "images": 1000,
        "skipped": 0,
    }
    other = succeed("eval", folder, "--split", "validation", "--batch-size", 300)
    assert other[-1].startswith("validation accuracy 0.")
    assert other[-2].startswith("1,000 images of mnist (validation), loss ")


def test_eval_on_other_data_of_the_same_classes(trained, tmp_path):
    digits = gcv.data.mnist("test")
    write_idx(tmp_path, "train", digits.images[:20, ..., 0], np.arange(20, dtype=np.uint8) % 10)
    write_idx(tmp_path, "t10k", digits.images[:50, ..., 0], digits.labels[:50].astype(np.uint8))
    lines = succeed("eval", trained[0], "--data", tmp_path)
    few = gcv.data.ArrayDataset("few", digits.images[:50], digits.labels[:50], digits.classes)
    expected = gcv.evaluate(Run.open(trained[0]).net(), few)
    assert lines[-1] == f"test accuracy {expected.accuracy:.4f}"


def test_predict_shows_the_five_best_classes_of_each_image(trained, digit_files):
    lines = succeed("predict", trained[0], *digit_files)
    assert [line for line in lines if line.endswith(".png")] == [str(p) for p in digit_files]
    rows = [line.strip("│ ").split(" │ ") for line in lines if line.startswith("│")]
    assert len(rows) == 15
    net = Run.open(trained[0]).net()
    for number in range(3):
        image = (gcv.data.mnist("test")[number][0] / np.float32(255) - net.mean[0]) / net.std[0]
        logits = net(image.astype(np.float32).transpose(2, 0, 1)[None])[0]
        best = np.argsort(-logits)[:5]
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        expected = [[str(k), f"{shares[k]:.4f}"] for k in best]
        assert [[cell.strip() for cell in row] for row in rows[5 * number :][:5]] == expected


def test_predict_as_json(trained, digit_files):
    found = json.loads("\n".join(succeed("predict", trained[0], *digit_files, "--json")))
    assert [entry["image"] for entry in found] == [str(path) for path in digit_files]
    for entry in found:
        shares = [guess["probability"] for guess in entry["top"]]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.000001
        assert {guess["class"] for guess in entry["top"]} < set("0123456789")


def test_training_without_a_place_counts_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for expected in ("runs/lenet5-001", "runs/lenet5-002"):
        assert f"run: {expected}" in succeed("train", *QUICK)
    assert sorted(os.listdir("runs")) == ["lenet5-001", "lenet5-002"]


def test_training_on_idx_files(tmp_path):
    root = tmp_path / "letters"
    root.mkdir()
    write_idx(root, "train", *some(40))
    write_idx(root, "t10k", *some(9))
    lines = succeed("train", "lenet5_1998", *QUICK, "--data", root, "--out", tmp_path / "run")
    assert "data: letters, 40 training and 9 test images, 4 classes" in lines
    assert "data: images 6x5x1 resized to 28x28" in lines
    run_of_it = Run.open(tmp_path / "run")
    assert run_of_it.info["model"]["num_classes"] == 4
    assert succeed("eval", tmp_path / "run")[-1] == lines[-1]


def test_training_on_folders_of_images(tmp_path):
    root = fill(tmp_path / "pictures", left=8, right=8)
    lines = succeed("train", *QUICK, "--data", root, "--batch-size", 4, "--out", tmp_path / "run")
    assert "data: images of any size resized to 28x28, grey (aspect ratio not kept)" in lines
    assert "data: pictures, 14 training and 2 test images, 2 classes" in lines
    assert succeed("eval", tmp_path / "run")[-1] == lines[-1]
    lines = succeed("predict", tmp_path / "run", root / "left" / "000.png")
    assert {line.split()[1] for line in lines if line.startswith("│")} == {"left", "right"}


def test_a_run_finds_its_data_from_any_folder(tmp_path, monkeypatch):
    fill(tmp_path / "pictures", left=4, right=4)
    monkeypatch.chdir(tmp_path)
    lines = succeed("train", *QUICK, "--data", "pictures", "--batch-size", 4, "--out", "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert succeed("eval", "../run")[-1] == lines[-1]


def test_unreadable_images_are_left_out_and_counted(tmp_path):
    root = fill(tmp_path / "pictures", left=20, right=20)
    truncate(root / "left" / "003.png")
    (root / "right" / "004.png").write_text("no image")
    test_set = gcv.data.image_folder(root, "test")
    truncate(test_set.paths[0])
    bad = {"003.png", "004.png"} - {path.name for path in test_set.paths}
    lines = succeed(
        "train", *QUICK, "--data", root, "--skip-bad", "--shift", 0, "--out", tmp_path / "run"
    )
    assert f"data: unreadable images left out: {len(bad)}" in lines
    assert f"data: pictures, {36 - len(bad)} training and 3 test images, 2 classes" in lines
    lines = succeed("eval", tmp_path / "run", "--skip-bad")
    assert "unreadable images left out: 1" in lines
    found = json.loads("\n".join(succeed("eval", tmp_path / "run", "--skip-bad", "--json")))
    assert (found["images"], found["skipped"]) == (3, 1)


def test_test_figures_between_epochs(tmp_path):
    write_idx(tmp_path, "train", *some(20))
    write_idx(tmp_path, "t10k", *some(8))
    options = ["--data", tmp_path, "--epochs", 4, "--batch-size", 10, "--eval-every", 2]
    lines = succeed("train", *options, "--lr", 0.001, "--flip", "--out", tmp_path / "run")
    epochs = [line for line in lines if line.startswith("epoch")]
    assert ["test accuracy" in line for line in epochs] == [False, True, False, True]
    logged = [json.loads(s) for s in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert sum("loss" in record for record in logged) == 8
    measured = [record for record in logged if "test_accuracy" in record]
    assert [(record["step"], record["epoch"]) for record in measured] == [(4, 2), (8, 4)]
    assert measured[-1]["test_accuracy"] == accuracy(lines[-1])


def test_the_version_is_printed():
    assert succeed("--version") == [f"gpuconv {gcv.__version__}"]


def test_the_last_epoch_says_the_rate_of_its_last_step(tmp_path):
    line = succeed("train", *QUICK, "--lr", 0.02, "--out", tmp_path / "run")[3]
    rate = 0.02 * (1 + np.cos(np.pi * 2 / 3)) / 2
    assert f"  lr {rate:.4f}  " in line


def test_the_device_is_said_in_one_line(tmp_path):
    lines = succeed("train", "--max-steps", 1, "--out", tmp_path / "run")
    assert lines[0] == f"device: {device.auto()[1]}"
    assert len(lines[0]) > len("device: cpu")
    assert (
        json.loads((tmp_path / "run" / "run.json").read_text())["device"] == device.auto()[0].kind
    )


def test_two_processes_write_the_same_run(tmp_path):
    both = [start("train", "--max-steps", 5, "--out", name, cwd=tmp_path) for name in "ab"]
    outputs = [finish(process) for process in both]
    assert [code for code, _, _ in outputs] == [0, 0]
    assert [err for _, _, err in outputs] == ["", ""]
    assert all("\x1b" not in out and "\r" not in out for _, out, _ in outputs)
    assert len(outputs[0][1].splitlines()) == 6
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    a, b = (json.loads((tmp_path / x / "run.json").read_text()) for x in "ab")
    assert a["final"] == b["final"]
    other = run("train", "--max-steps", 5, "--seed", 1, "--out", tmp_path / "c")
    assert other.exit_code == 0
    assert (tmp_path / "c" / "metrics.jsonl").read_bytes() != (
        tmp_path / "a" / "metrics.jsonl"
    ).read_bytes()


def on_a_terminal(*arguments, cwd):
    """Exit code and everything written by a run whose stdout and stderr are a terminal."""
    mine, its = pty.openpty()
    line = [sys.executable, "-m", "gpuconv", *map(str, arguments)]
    env = environment(TERM="xterm-256color", COLUMNS="140")
    process = subprocess.Popen(line, stdout=its, stderr=its, stdin=its, cwd=cwd, env=env)
    os.close(its)
    written = b""
    try:
        while part := os.read(mine, 1 << 16):
            written += part
    except OSError:  # the other end was closed: how Linux says that this is all
        pass
    os.close(mine)
    return process.wait(timeout=60), written.decode()


def test_a_terminal_shows_a_bar_and_ends_with_the_accuracy(tmp_path):
    code, text = on_a_terminal("train", "--max-steps", 12, "--out", "run", cwd=tmp_path)
    assert code == 0, text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    figures = r"loss \d\.\d+  accuracy 0\.\d+  waiting for data \d+%  [\d,]+ images/s"
    assert re.search(f"12/12 epoch 1  {figures}", plain)
    accuracy(plain.replace("\r", "\n").rstrip().splitlines()[-1])


def test_a_terminal_shows_errors_in_red(tmp_path):
    code, text = on_a_terminal("eval", "nothing [bold]", cwd=tmp_path)
    assert code == 2
    assert text.startswith("\x1b[31merror: nothing [bold]: no run here")
    assert text.rstrip().endswith("\x1b[0m")
    assert len(text.splitlines()) == 1


def test_a_line_says_that_kernels_are_compiled_the_first_time_only(tmp_path):
    said = []
    for folder in ("first", "second"):
        options = ("--max-steps", 1, "--device", "cpu", "--out", tmp_path / folder)
        process = start("train", *options, env=environment(GPUCONV_CACHE=str(tmp_path / "cache")))
        code, _, err = finish(process)
        assert code == 0, err
        said.append(err.splitlines())
    assert said[0] == [f"compiling kernels for this CPU; they are kept in {tmp_path / 'cache'}"]
    assert said[1] == []
