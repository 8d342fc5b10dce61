"""The main job: LeNet-5 learns the embedded digits, as the first line of the README promises."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import accuracy, complaints, contents, finish, start
from PIL import Image

import gpuconv as gcv
from gpuconv.training.checkpoint import Run

THRESHOLD = 0.97


def told(folder: Path, *arguments: object, timeout: float = 100) -> list[str]:
    """What a run in a process of its own prints."""
    code, out, err = finish(start(*arguments, cwd=folder), timeout)
    assert (code, complaints(err)) == (0, [])
    return out.splitlines()


def check_folder(run: Run, printed: float) -> None:
    """Everything of the training is there: settings, every step's loss, the final figures."""
    files = ["metrics.jsonl", "model.safetensors", "plan.json", "run.json"]
    assert sorted(contents(run.folder)) == files
    settings, final = run.info["settings"], run.info["final"]
    steps = settings["epochs"] * -(-9000 // settings["batch_size"])
    assert (run.info["status"], final["steps"], settings["seed"]) == ("done", steps, 0)
    assert printed == pytest.approx(final["test_accuracy"], abs=1e-4)
    logged = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in logged] == list(range(1, steps + 1))
    losses = [record["loss"] for record in logged]
    assert np.mean(losses[-50:]) < 0.1 < np.mean(losses[:50])


def check_predictions(run: Run, folder: Path, count: int = 40) -> None:
    """The classes that predict names for PNG files are those that evaluate counts."""
    data = gcv.data.mnist("test")
    names = [f"{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        Image.fromarray(data[number][0][..., 0]).save(folder / name)
    found = json.loads("\n".join(told(folder, "predict", run.folder, *names, "--json")))
    best = np.array([int(entry["top"][0]["class"]) for entry in found])
    few = gcv.data.ArrayDataset("few", data.images[:count], data.labels[:count], data.classes)
    assert (best == few.labels).mean() == gcv.evaluate(run.net(), few).accuracy >= 0.9


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_main_job(tmp_path):
    lines = told(tmp_path, "train", "--seed", 0, timeout=300)
    assert accuracy(lines[-1]) >= THRESHOLD
    assert lines[-2] == "run: runs/lenet5-001"
    run = Run.open(tmp_path / "runs" / "lenet5-001")
    check_folder(run, accuracy(lines[-1]))
    assert told(tmp_path, "eval", run.folder)[-1] == lines[-1]
    check_predictions(run, tmp_path)
