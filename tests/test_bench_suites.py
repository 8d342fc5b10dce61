"""gpuconv bench --suite: layers, whole nets, cold starts and memory; and runs that are cut off."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_line import fail, succeed

from gpuconv.benchmarks import (
    cold_start,
    figures,
    history,
    layer_suite,
    measure,
    suite,
    whole_nets,
)
from gpuconv.benchmarks.cpu_vs_peers import layers, whole
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.benchmarks.cpu_vs_peers.nets import BASELINE, OURS, Work
from gpuconv.benchmarks.measure import Rivals
from gpuconv.benchmarks.whole_nets import Limits

ROOF = Ceilings(1e11, 1e10)
LENET = Work("lenet5", 2, True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-4)
    monkeypatch.setattr("gpuconv.cli.bench.ceilings", lambda: ROOF)


class Fake:
    """A child that says what it is told to say."""

    def __init__(self, answers):
        self.answers = answers

    def __call__(self, name, work, threads):
        made = Fake(self.answers)
        made.answer = self.answers.get(name, {"answer": [1.0, 2.0]})
        made.rival = measure.Clocked(lambda count: 0.5)
        return made

    def peak(self):
        return 1 << 20

    def close(self):
        pass


def outcomes(monkeypatch, **answers):
    monkeypatch.setattr(whole, "Child", Fake({OURS: {"answer": [1.0, 2.001]}, **answers}))
    monkeypatch.setattr(whole, "find_spec", lambda package: package != "onnx")
    rows = whole_nets.steps(Work("lenet5", 4, False), ROOF, Limits(0, 3, ("torch", "onnxruntime")))
    return {row.name: row for row in rows}


def test_a_net_that_computes_something_else_is_never_timed(monkeypatch):
    wrong = {"torch NCHW": {"answer": [1.0, 2.1]}, "torch NHWC": {"answer": [1.0, float("nan")]}}
    found = outcomes(monkeypatch, **wrong)
    assert found[OURS].images == 8.0
    assert (found[OURS].ratio, found[OURS].peak) == (1.0, 1 << 20)
    for name in wrong:
        assert (found[name].state, found[name].timing) == (figures.WRONG, None)
    assert "of the largest number away" in found["torch NCHW"].note
    assert (found["onnxruntime"].state, found["onnxruntime"].note) == (
        "not installed", "the package onnx"
    )  # fmt: skip
    assert BASELINE not in found  # it was asked for its answer alone


def test_a_rival_that_fails_is_a_row(monkeypatch):
    found = outcomes(monkeypatch, **{"torch NHWC": {"reason": "KeyError: a\nlayer"}})
    assert (found["torch NHWC"].state, found["torch NHWC"].note) == ("failed", "KeyError: a layer")
    assert found["torch NCHW"].timing is not None


def test_onnxruntime_has_no_training():
    assert whole.lacking("onnxruntime", LENET).note == "has no training"


def test_memory_is_told_in_bytes_and_against_ours(monkeypatch):
    held = {OURS: 2 << 20, BASELINE: 1 << 20}
    outcome = {name: whole.Outcome(peak=peak) for name, peak in held.items()}
    monkeypatch.setattr(whole, "memory", lambda *_: outcome.items())
    ours, numpy = whole_nets.memory(LENET, ROOF, Limits(0, 3, ("numpy",)))
    assert (ours.peak, ours.ratio, numpy.ratio, numpy.note) == (2 << 20, 1, 0.5, "1 MiB at most")
    assert ours.timing is None


def test_cold_starts_are_with_an_empty_and_with_the_warm_cache(monkeypatch):
    def start(name, work, cache):
        key = os.path.join(cache, "there")
        cold = not os.path.exists(key)
        open(key, "w").close()
        return (8.0, 7.0) if cold else (2.0, 1.0)

    monkeypatch.setattr(cold_start, "_start", start)
    empty, warm, numpy = cold_start.rows(LENET, Limits(0, 3, ("numpy",)))
    assert (empty.name, empty.timing.median, empty.ratio) == (cold_start.EMPTY, 8.0, 4.0)
    assert (warm.name, warm.timing.runs, warm.ratio) == (cold_start.WARM, 3, 1.0)
    assert "7.00 s to build" in empty.note
    assert numpy.name == BASELINE


@pytest.mark.slow
def test_a_process_starts_cold(tmp_path):
    whole_time, inner = cold_start._start(BASELINE, LENET, str(tmp_path))
    assert 0 < inner < whole_time


def test_layers_and_the_blocks_that_inference_fuses_are_checked_and_timed(monkeypatch):
    monkeypatch.setattr(layers, "find_spec", lambda name: None)
    found = [
        row for some in layer_suite.rows(LENET, ROOF, Limits(0, 3, ("torch",))) for row in some
    ]
    ours = {(row.case, row.op): row for row in found if row.name == OURS}
    assert all(row.timing is not None for row in ours.values())
    assert ("lenet5 conv2", "Conv2d + ReLU inference") in ours
    assert ("lenet5 pool1", "MaxPool2d data gradient") in ours
    assert {row.state for row in found if row.name != OURS} == {figures.ABSENT}


def test_a_layer_that_computes_something_else_is_not_timed(monkeypatch):
    one = layers.Contest("x", "ReLU", ((2,),), "forward", 0, Rivals({}), "0.5 away")
    monkeypatch.setattr(layers, "contests", lambda *_: iter([one]))
    monkeypatch.setattr(layer_suite, "blocks", lambda *_: iter(()))
    ((row,),) = layer_suite.rows(LENET, ROOF, Limits(0, 3, ()))
    assert (row.state, row.note, row.timing) == (figures.WRONG, "0.5 away", None)


def test_answers_that_differ_from_numpys_kernels_are_found():
    steps = iter([np.ones(3), np.ones(3) * 1.01])
    assert "0.0099 of the largest" in layers.disagreement(lambda: [next(steps)])
    assert layers.disagreement(lambda: [np.ones(3)]) == ""


# ---- the command ----------------------------------------------------------------------------


def test_suites_of_a_model_are_its_tasks_and_an_ops_are_none():
    asked = suite.wanted(["lenet5"], [], [], [], suites=["all"])
    assert {one.op for one in asked.everything() if isinstance(one, suite.Task)} == {
        "layers of", "inference", "training step", "cold start of", "memory of inference",
        "memory of training step",
    }  # fmt: skip
    asked = suite.wanted(["conv2d"], ["lenet"], [], [], suites=["all"])
    assert not any(isinstance(one, suite.Task) for one in asked.everything())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suite", ","], ["--suite is empty", "kernels, layers"]),
        (["--suite", "net"], ["unknown suite 'net'; did you mean nets?", "kernels, layers"]),
        (["conv2d", "--suite", "nets"], ["--suite nets takes models, not conv2d", "lenet5"]),
        (["--shapes", "depthwise", "--suite", "cold"], ["takes models, not depthwise"]),
    ],
)
def test_what_a_suite_does_not_take(arguments, words):
    said = fail("bench", *arguments)
    assert all(word in said for word in words), said


def test_the_command_times_whole_nets_and_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "Child", Fake({}))
    options = ["--suite", "nets", "--against", "numpy", "--device", "cpu", "--seconds", 0]
    lines = succeed("bench", "lenet5", *options, "--save", "--results", tmp_path)
    assert any("images/s" in line for line in lines)
    assert any(OURS in line and "128" in line for line in lines)  # 64 images in half a second
    (path,) = tmp_path.iterdir()
    assert [line["suite"] for line in history.load(path)] == ["nets"] * 4


def test_static_figures_stand_apart_from_times():
    lines = succeed("bench", "relu", "--shapes", "lenet", "--batch-size", 2, "--device", "cpu",
                    "--against", "", "--seconds", 0, "--rounds", 3, "--static")  # fmt: skip
    at = next(k for k, line in enumerate(lines) if "relu, static" in line)
    timed, static = lines[:at], lines[at:]
    assert not any("cuda:" in line for line in timed)
    assert any("cuda:vectorised" in line for line in static)
    assert not any("ms" in line.split() for line in static)


@pytest.mark.slow
def test_a_run_that_is_interrupted_leaves_its_figures(tmp_path):
    """A real SIGINT, as soon as the first figures are in the file."""
    command = [sys.executable, "-m", "gpuconv", "bench", "lenet5", "--against", "", "--device"]
    options = ["cpu", "--batch-size", "2", "--seconds", "1", "--rounds", "999", "--save"]
    given = [*command, *options, "--results", str(tmp_path)]
    run = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(600):
            if any(path.stat().st_size for path in tmp_path.iterdir()):
                break
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        out, said = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130, said
    assert "interrupted after" in said
    assert "conv2d" in out
    (path,) = tmp_path.iterdir()
    assert history.load(path)[0]["op"] == "conv2d"
