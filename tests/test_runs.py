"""gpuconv runs and gpuconv plot: what has become of each run, and a picture of how it went."""

import json

import numpy as np
import pytest
from command_line import fail, succeed
from PIL import Image

from gpuconv.training.checkpoint import Run
from gpuconv.training.claim import claimed
from gpuconv.training.history import entries, history
from gpuconv.viz import curves


def make(root, name, status="done", accuracy=0.9, steps=60, started="2026-01-02T03:04:05+00:00"):
    """A run of 30 images in batches of 4: 8 steps an epoch."""
    info = {"model": {"name": "lenet5"}, "data": "mnist", "classes": ["0", "1"], "images": 30}
    settings = {"epochs": 10, "batch_size": 4}
    run = Run.create(root / name, {**info, "settings": settings})
    for step in range(1, steps + 1):
        run.log({"step": step, "epoch": 1, "loss": 2 / step, "lr": 0.1 * (1 - step / 100)})
    if accuracy is not None:
        run.log({"step": 8, "epoch": 1, "test_loss": 0.3, "test_accuracy": accuracy})
    run.write(status=status, started=started)
    return run


def test_the_state_of_every_run_is_told(tmp_path):
    make(tmp_path, "b", "done", started="2026-01-01T00:00:00+00:00")
    make(tmp_path, "a", "interrupted", None, 17, "2026-01-03T00:00:00+00:00")
    failed = make(tmp_path, "c", "failed", started="2026-01-04T00:00:00+00:00")
    failed.write(error="training: the loss is nan")
    make(tmp_path, "d", "running", started="2026-01-05T00:00:00+00:00")
    live = make(tmp_path, "e", "running", started="2026-01-06T00:00:00+00:00")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "run.json").write_text("{")
    (tmp_path / "no run").mkdir()
    with claimed(live.folder):
        found = json.loads("\n".join(succeed("runs", tmp_path, "--json")))
        lines = succeed("runs", tmp_path)
    states = {entry["folder"].rpartition("/")[2]: entry["state"] for entry in found}
    assert states == {
        "f": "damaged", "b": "finished", "a": "stopped",
        "c": "broken", "d": "killed", "e": "running",
    }  # fmt: skip
    assert list(states) == list("fbacde")  # by the time of their start
    by_state = {entry["state"]: entry for entry in found}
    stopped, finished = by_state["stopped"], by_state["finished"]
    assert (stopped["epochs_done"], stopped["epochs"], stopped["steps"]) == (2, 10, 17)
    assert (stopped["best_accuracy"], finished["best_accuracy"]) == (None, 0.9)
    assert by_state["running"]["pid"] > 0
    rows = [line for line in lines if line.startswith("│")]
    assert len(rows) == 6
    assert f"running, process {by_state['running']['pid']}" in rows[-1]
    assert "7 / 10" in rows[1]
    assert any("the loss is nan" in line for line in lines)
    assert any("run.json: cannot be read" in line for line in lines)


def test_one_run_an_empty_folder_and_none(tmp_path):
    run = make(tmp_path, "one")
    assert [entry.folder for entry in entries(run.folder)] == [str(run.folder)]
    (tmp_path / "empty").mkdir()
    assert succeed("runs", tmp_path / "empty")[0].startswith("no runs in ")
    assert "missing: cannot be listed" in fail("runs", tmp_path / "missing")


def test_the_final_figures_count_once_and_a_cut_last_line_not_at_all(tmp_path):
    run = make(tmp_path, "run")
    run.write(final={"steps": 60, "test_loss": 0.1, "test_accuracy": 0.95})
    run.log({"step": 60, "epoch": 8, "test_loss": 0.1, "test_accuracy": 0.95})
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 61, "lo')
    went = history(run)
    assert went.test_accuracy == [(8, 0.9), (60, 0.95)]
    assert len(went.loss) == len(went.lr) == 60


def test_a_damaged_line_is_named(tmp_path):
    run = make(tmp_path, "run")
    path = run.folder / "metrics.jsonl"
    path.write_text("{}\nnothing\n{}\n")
    assert "metrics.jsonl: line 2 cannot be read" in fail("plot", run.folder, "--out", "x.svg")
    assert entries(tmp_path)[0].state == "damaged"


def contrast(one, other):
    """WCAG 2.1's contrast ratio of two colours."""

    def luminance(color):
        parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#0d1117"])
def test_every_colour_can_be_seen_on_light_and_dark_pages(page):
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert [c for c in (curves.INK, *curves.LINES) if contrast(c, page) < 3] == []


def test_a_curve_is_thinned_to_means_in_a_band():
    curve = [(step, float(step % 2)) for step in range(1, 1001)]
    steps, mean, low, high = curves.thinned(curve, 50)
    assert len(steps) == 50
    assert steps[0] == 10.5
    assert (mean == 0.5).all()
    assert (low == 0).all()
    assert (high == 1).all()
    assert [a.tolist() for a in curves.thinned([(3, 0.5)], 50)] == [[3.0], [0.5], [0.5], [0.5]]


def test_runs_are_drawn_on_one_page(tmp_path):
    folders = [make(tmp_path, name, accuracy=None, steps=200).folder for name in ("one", "two")]
    lines = succeed("plot", *folders, "--out", tmp_path / "x.svg")
    assert lines == [f"picture: {tmp_path / 'x.svg'}"]
    text = (tmp_path / "x.svg").read_text()
    for word in ("one", "two", "training loss", "test accuracy", "learning rate", "not measured"):
        assert word in text
    assert all(color in text for color in curves.LINES[:2])
    assert "fill: #ffffff" not in text  # the page shows through


def test_a_png_is_transparent_and_not_empty(tmp_path):
    curves.plot([make(tmp_path, "one").folder], tmp_path / "x.png")
    pixels = np.asarray(Image.open(tmp_path / "x.png").convert("RGBA"))
    assert pixels[0, 0, 3] == 0
    thirds = np.array_split(pixels[..., 3], 3)
    assert all((third == 255).mean() > 0.002 for third in thirds)


def test_what_cannot_be_drawn_is_refused_and_nothing_written(tmp_path):
    run = make(tmp_path, "run")
    assert "x.gif is neither .svg nor .png" in fail("plot", run.folder, "--out", tmp_path / "x.gif")
    assert "no run here" in fail("plot", tmp_path / "none", "--out", tmp_path / "x.svg")
    assert not list(tmp_path.glob("x.*"))
