"""metrics.jsonl keeps every loss that was finite, also when the run breaks."""

import json

import pytest
from command_line import QUICK, fail, succeed

from gpuconv.training.schedules import cosine


def test_a_window_that_breaks_keeps_its_finite_losses(tmp_path):
    options = ["--lr", "1e20", "--max-steps", 9, "--shift", 0, "--read-every", 4]
    run = tmp_path / "run"
    line = fail("train", *options, "--schedule", "constant", "--out", run)
    assert "training: the loss is nan at step 2 (epoch 1)" in line
    (kept,) = (json.loads(record) for record in (run / "metrics.jsonl").read_text().splitlines())
    assert (kept["step"], kept["epoch"]) == (1, 1)
    assert 0 < kept["loss"] < 20


def test_every_step_says_its_loss_and_learning_rate(tmp_path):
    succeed("train", *QUICK, "--lr", 0.04, "--batch-size", 8, "--out", tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["step"], r["epoch"]) for r in records] == [(1, 1), (2, 1), (3, 1)]
    rate = cosine(0.04, 3)
    assert [r["lr"] for r in records] == pytest.approx([rate(step) for step in range(3)])
