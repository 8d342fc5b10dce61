"""metrics.jsonl keeps every loss that was finite, also when the run breaks."""

import json

from command_line import fail


def test_a_window_that_breaks_keeps_its_finite_losses(tmp_path):
    options = ["--lr", "1e20", "--max-steps", 9, "--shift", 0, "--read-every", 4]
    run = tmp_path / "run"
    line = fail("train", *options, "--schedule", "constant", "--out", run)
    assert "training: the loss is nan at step 2 (epoch 1)" in line
    (kept,) = (json.loads(record) for record in (run / "metrics.jsonl").read_text().splitlines())
    assert (kept["step"], kept["epoch"]) == (1, 1)
    assert 0 < kept["loss"] < 20
