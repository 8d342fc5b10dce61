"""benchmarks/cpu_vs_peers and its harness, without the peers: they may not be installed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gpuconv import registry
from gpuconv.benchmarks import measure
from gpuconv.benchmarks.cpu_vs_peers import ceilings, child, layers, nets, report, whole
from gpuconv.benchmarks.cpu_vs_peers.nets import OURS, Work
from gpuconv.device import CPU
from gpuconv.limits import current_limits

LENET = Work("lenet5", 2, True, 2.0)
ROW = {
    "work": "net, training step, batch 1",
    "seconds": {OURS: {"median": 0.5, "shortest": 0.25, "longest": 1.0}},
    "ratios": {"torch NCHW": 3.0, "best torch": 2.5, "gpuconv, numpy": 4.0},
    "wanted": 2.0,
    "losses": {OURS: 1.25, "torch NCHW": 1.25},
    "share_of_peak": 0.5,
    "peak_bytes": {OURS: 3 << 20, "torch NCHW": 5 << 20},
}


def clocked(order, name, seconds):
    def run(count):
        order.append((name, count))
        return seconds

    return measure.Clocked(run)


@pytest.fixture
def _no_rest(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)


@pytest.mark.usefixtures("_no_rest")
def test_rivals_are_timed_in_turn():
    """``b`` takes long: its first call counts, and it leaves a round earlier."""
    order = []
    rivals = {"a": clocked(order, "a", 0.2), "b": clocked(order, "b", 3.0)}
    found = measure.interleaved(rivals, seconds=0)
    assert "".join(name for name, _ in order) == "aab" + "ab" * 2 + "a"
    assert {count for _, count in order} == {1}
    assert found.timing("b") == measure.Timing(3.0, 3.0, 3.0, 3, 3.0, 3.0)
    assert found.timing("a").runs == 3
    assert found.ratio("b", "a") == pytest.approx(15)


@pytest.mark.usefixtures("_no_rest")
def test_a_short_call_is_made_several_times_and_its_first_does_not_count():
    order = []
    found = measure.interleaved({"a": clocked(order, "a", measure.BURST / 4)}, seconds=0)
    assert [count for _, count in order] == [1, 1, *[1] * measure.WARM, *[1, 5] * 3]
    assert found.samples["a"] == [measure.BURST / 4] * 3


@pytest.mark.usefixtures("_no_rest")
def test_a_slow_rival_leaves_after_three_rounds_and_ratios_are_of_shared_ones():
    order = []
    rivals = {"slow": clocked(order, "slow", 0.5), "fast": clocked(order, "fast", 0.03)}
    found = measure.interleaved(rivals, seconds=9, rounds=7)
    assert {name: len(samples) for name, samples in found.samples.items()} == {"slow": 3, "fast": 7}
    assert found.ratio("slow", "fast") == pytest.approx(0.5 / 0.03)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_calls_in_a_row_are_so_many_and_their_mean_counts(count, monkeypatch):
    calls, clock = [], iter([2.0, 5.0])
    monkeypatch.setattr(measure, "perf_counter", lambda: next(clock))
    assert measure.in_a_row(lambda: calls.append(1), count) == 3.0 / count
    assert len(calls) == count


def test_a_rival_may_return_what_it_likes():
    found = measure.interleaved({"a": lambda: 5.0}, seconds=0, rounds=3, rests=0)
    assert found.timing("a").longest < 1.0


def test_ceilings_are_those_of_a_cpu():
    found = ceilings.ceilings()
    assert 1e8 < found.flops < 1e14
    assert 1e7 < found.bandwidth < 1e13


def test_the_baseline_takes_numpys_kernels():
    problem = registry.get_op("conv2d").problem(1, 32, 16, 16, 32, 3, 3)
    with nets.numpy_only():
        assert registry.choose(registry.get_op("conv2d"), problem, CPU).backend == "numpy"
        assert set(current_limits().plan) == set(registry.ops())


def test_a_row_of_a_net_holds_times_losses_and_memory(monkeypatch):
    monkeypatch.setattr(nets, "TORCH", {})
    monkeypatch.setattr(whole, "TORCH", {})
    roof = ceilings.Ceilings(1e11, 1e10)
    row = whole.row(LENET, 1, roof, seconds=0, rounds=3)
    assert set(row["seconds"]) == {OURS, nets.BASELINE} == set(row["losses"])
    assert row["losses"][OURS] == pytest.approx(row["losses"][nets.BASELINE], abs=1e-5)
    assert row["ratios"][nets.BASELINE] > 0
    assert row["peak_bytes"][OURS] > 0 or not child.LINUX
    json.dumps(row)


def test_a_child_that_ends_says_so():
    rival = child.Child("nobody", LENET, 1)
    with pytest.raises(RuntimeError, match="the process has ended with 1"):
        rival.run()


def test_every_layer_of_a_net_has_its_passes(monkeypatch):
    monkeypatch.setattr(layers, "TORCH", {})
    monkeypatch.setattr(layers, "SECONDS", 0)
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(layers, "find_spec", lambda name: None)
    rows = list(layers.rows([LENET], rounds=3))
    passes = {(row["layer"].split()[-1], row["pass"]) for row in rows}
    assert ("conv1", "data gradient") not in passes  # nobody needs the gradient of the images
    assert {("conv2", p) for p in ("forward", "data gradient", "weight gradient")} <= passes
    assert ("loss", "forward and gradient") in passes
    assert report.layers(rows).count("\n") == len(rows) + 2


def test_the_table_of_nets():
    (line,) = report.nets([ROW]).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:5] == ["net, training step, batch 1", "500 (250 .. 1e+03)", "-", "-", "2.50"]
    assert cells[5:] == ["2.00", "-", "4.00", "50 %", "3", "5", "1.25000", "1.25000"]


def test_a_layer_that_loses_is_marked():
    row = {"layer": "x", "pass": "forward", "flops": 10**9, **ROW}
    assert "(loses)" not in report.layers([row])
    assert "0.80 (loses)" in report.layers([{**row, "ratios": {"best torch": 0.8}}])


def test_the_command_prints_a_table_and_keeps_every_figure(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "gpuconv.benchmarks.cpu_vs_peers", "--nets", "lenet5"]
    options = ["--only", "nets", "--seconds", "0", "--rounds", "3", "--threads", "1", "--out", out]
    done = subprocess.run(
        [*command, *options], env=os.environ, capture_output=True, text=True, check=True
    )
    assert "| lenet5, training step, batch 64 |" in done.stdout
    kept = json.loads(out.read_text())
    assert set(kept) == {"machine", "ceilings", "nets"}
    assert kept["machine"]["threads"] == 1
    assert np.isfinite(kept["nets"][0]["losses"][OURS])
