"""gpuconv train --resume: the bits of a run that was never stopped, and what is refused."""

import json
import os
import shutil
import signal

import pytest
from command_line import QUICK, contents, fail, finish, run, start, succeed
from test_data import some, write_idx

import gpuconv as gcv
from gpuconv import plans
from gpuconv.cli._session import Session
from gpuconv.cli.train import INTERRUPTED
from gpuconv.device import CPU
from gpuconv.training import checkpoint
from gpuconv.training.checkpoint import Run

EPOCHS, PER_EPOCH = 3, 5
OPTIONS = [
    *("lenet5", "--epochs", EPOCHS, "--batch-size", 8, "--read-every", 2, "--lr", 0.02),
    *("--dropout", 0.3, "--seed", 7, "--flip", "--eval-every", 1, "--device", "cpu"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """IDX files of 36 images: epochs of 5 batches, the last one short."""
    root = tmp_path_factory.mktemp("resume") / "letters"
    root.mkdir()
    write_idx(root, "train", *some(36))
    write_idx(root, "t10k", *some(9))
    return root


@pytest.fixture(scope="module")
def whole(data):
    """The run that was never stopped."""
    succeed("train", *OPTIONS, "--data", data, "--out", data.parent / "whole")
    return contents(data.parent / "whole")


@pytest.fixture
def interrupted(tmp_path, data, monkeypatch):
    """Runs that Ctrl-C ends after a step."""

    def ended(step, name="run"):
        tell = Session.tell

        def told(self, state):
            tell(self, state)
            if state.event == "step" and state.step >= step and not self.interrupted:
                os.kill(os.getpid(), signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Session, "tell", told)
            result = run("train", *OPTIONS, "--data", data, "--out", tmp_path / name)
        assert result.exit_code == INTERRUPTED
        return tmp_path / name

    return ended


def information(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.mark.parametrize("step", [1, PER_EPOCH, PER_EPOCH + 2, EPOCHS * PER_EPOCH])
def test_an_interrupted_run_goes_on_to_the_same_bits(interrupted, whole, step):
    folder = interrupted(step)
    taken = information(folder)["final"]["steps"]
    assert taken >= step
    assert (folder / "checkpoint.safetensors").is_file()
    lines = succeed("train", "--resume", folder)
    assert f"resumed: {folder} after step {taken}" in lines
    found = contents(folder)
    assert set(found) == set(whole)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert found[name] == whole[name]
    now, then = information(folder), json.loads(whole["run.json"])
    assert (now["status"], now["resumed"]) == ("done", [taken])
    assert now["final"] == then["final"]
    assert now["settings"] == then["settings"]


def test_a_run_may_be_stopped_more_than_once(interrupted, whole, monkeypatch):
    folder = interrupted(3)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "finish", lambda self: 1 / 0)
        assert isinstance(run("train", "--resume", folder).exception, ZeroDivisionError)
    assert information(folder)["status"] == "failed"
    succeed("train", "--resume", folder)  # every step is taken: only the test is left
    assert contents(folder)["model.safetensors"] == whole["model.safetensors"]
    assert information(folder)["resumed"] == [4, EPOCHS * PER_EPOCH]
    assert "error" not in information(folder)


def test_a_killed_run_goes_on_from_its_last_epoch(tmp_path, data):
    options = [*OPTIONS, "--data", data, "--read-every", 1]
    many = [*options, "--epochs", 5000, "--lr", 0.001, "--eval-every", 0]
    process = start("train", *many, "--out", tmp_path / "run")
    while not (line := process.stdout.readline()).startswith("epoch   3"):
        assert line, process.stderr.read()
    process.kill()
    finish(process)
    assert information(tmp_path / "run")["status"] == "running"
    taken = int(gcv.load_weights(tmp_path / "run" / checkpoint.CHECKPOINT)["optimizer/steps"])
    end = taken + 2 * PER_EPOCH
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    with (tmp_path / "copy" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1234567, "epoch": 1, "loss": 0.5}\n{"step": 12345')
    for name in ("run", "copy"):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, end)
            assert run("train", "--resume", tmp_path / name).exit_code == INTERRUPTED
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, end)
        assert run("train", *many, "--out", tmp_path / "other").exit_code == INTERRUPTED
    assert information(tmp_path / "run")["resumed"] == [taken]
    assert taken % PER_EPOCH == 0
    assert taken >= 3 * PER_EPOCH
    expected = contents(tmp_path / "other")
    for name in ("run", "copy"):
        found = contents(tmp_path / name)
        for file in ("model.safetensors", "metrics.jsonl", "checkpoint.safetensors"):
            assert found[file] == expected[file]


def stop_at(patch, step):
    tell = Session.tell

    def told(self, state):
        tell(self, state)
        self.trainer.stop |= state.step == step
        self.interrupted |= state.step == step

    patch.setattr(Session, "tell", told)


def test_a_run_without_a_checkpoint_starts_over(interrupted, whole):
    folder = interrupted(2)
    (folder / "checkpoint.safetensors").unlink()
    assert f"resumed: {folder} after step 0" in succeed("train", "--resume", folder)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert contents(folder)[name] == whole[name]


@pytest.fixture
def other_plan(monkeypatch, tmp_path):
    """What is tuned on this machine from now on: other convolutions than a run took."""

    def tuned(folder):
        swapped = {"numba:direct": "numba:winograd", "numba:winograd": "numba:direct"}
        taken = plans.load(folder / "plan.json").entries(CPU)
        entries = {
            key: plans.Entry(swapped[entry.kernel])
            for key, entry in taken.items()
            if key.startswith("conv2d ")
        }
        plans.save(plans.Plan().having(CPU, entries), tmp_path / "tuned.json")
        monkeypatch.setenv(plans.VARIABLE, str(tmp_path / "tuned.json"))
        plans.usual.cache_clear()

    yield tuned
    plans.usual.cache_clear()


def test_a_run_goes_on_with_its_own_plan(interrupted, whole, data, tmp_path, other_plan):
    folder = interrupted(PER_EPOCH + 1)
    other_plan(folder)
    succeed("train", *OPTIONS, "--data", data, "--out", tmp_path / "tuned")
    assert contents(tmp_path / "tuned")["model.safetensors"] != whole["model.safetensors"]
    succeed("train", "--resume", folder)
    assert contents(folder)["model.safetensors"] == whole["model.safetensors"]
    then = set(whole["plan.json"].decode().replace('"},', '"}').splitlines())
    now = (folder / "plan.json").read_text().replace('"},', '"}').splitlines()
    assert then <= set(now)


def test_options_may_be_repeated(interrupted, data):
    folder = interrupted(2)
    lines = succeed("train", *OPTIONS, "--data", data, "--resume", folder)
    assert any(line.startswith("resumed: ") for line in lines)


@pytest.fixture
def stopped(interrupted):
    """A run to resume, and what it holds."""
    folder = interrupted(2)
    return folder, contents(folder)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["alexnet"], "model was lenet5 there, not alexnet; leave it out, or start a new run"),
        (["--data", "mnist"], "/letters there, not mnist; leave it out"),
        (["--epochs", 4], "epochs was 3 there, not 4"),
        (["--lr", 0.1], "lr was 0.02 there, not 0.1"),
        (["--seed", 0], "seed was 7 there, not 0"),
        (["--device", "emulated"], "device was cpu there, not emulated"),
        (["--out", "elsewhere"], "--out elsewhere: --resume "),
    ],
)
def test_a_run_does_not_change_its_settings(stopped, given, text):
    folder, before = stopped
    assert text in fail("train", *given, "--resume", folder)
    assert contents(folder) == before


def test_other_data_in_the_same_place_is_refused(stopped, data, tmp_path):
    folder, before = stopped
    info = information(folder)
    write_idx(tmp_path, "train", *some(35))
    write_idx(tmp_path, "t10k", *some(9))
    (folder / "run.json").write_text(json.dumps({**info, "data": str(tmp_path)}))
    line = fail("train", "--resume", folder)
    assert "has 35 training images of 4 classes, but the run began with 36 of 4" in line
    (folder / "run.json").write_text(json.dumps({**info, "classes": list("abcx")}))
    assert "or of other names; bring the data back" in fail("train", "--resume", folder)
    assert contents(folder)["checkpoint.safetensors"] == before["checkpoint.safetensors"]


def test_a_checkpoint_of_another_net_or_damaged_is_refused(stopped):
    folder, _ = stopped
    path = folder / "checkpoint.safetensors"
    state = gcv.load_weights(path)
    for name in ("net/fc3.bias", "optimizer/steps"):
        checkpoint._save_arrays(path, {n: a for n, a in state.items() if n != name})
        assert name.partition("/")[2] in fail("train", "--resume", folder)
    checkpoint._save_arrays(path, {**state, "other": state["net/fc3.bias"]})
    assert "holds 'other', which no checkpoint does" in fail("train", "--resume", folder)
    path.write_bytes(b"")
    assert "not a readable safetensors file" in fail("train", "--resume", folder)
    assert information(folder)["status"] == "interrupted"


def test_what_cannot_be_resumed(tmp_path, stopped):
    folder, _ = stopped
    assert "nothing: no run here (run.json is missing)" in fail("train", "--resume", "nothing")
    info = information(folder)
    for settings in (None, {}, {**info["settings"], "epochs": "3"}, {**info["settings"], "x": 1}):
        (folder / "run.json").write_text(json.dumps({**info, "settings": settings}))
        assert "its settings are not those of" in fail("train", "--resume", folder)
    (folder / "run.json").write_text(json.dumps({**info, "status": "done"}))
    assert "this run is done, there is nothing to resume" in fail("train", "--resume", folder)


def test_other_versions_are_named(stopped):
    folder, _ = stopped
    versions = {**information(folder)["versions"], "numpy": "1.0"}
    Run.open(folder).write(versions=versions)
    lines = succeed("train", "--resume", folder)
    assert any(line.startswith("resumed: numpy was 1.0 and is ") for line in lines)


def test_a_run_that_is_done_keeps_no_checkpoint(tmp_path, data):
    succeed("train", *QUICK, "--data", data, "--out", tmp_path / "run")
    kept = ["metrics.jsonl", "model.safetensors", "plan.json", "run.json"]
    assert list(contents(tmp_path / "run")) == kept
