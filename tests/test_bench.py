"""gpuconv bench: which cases there are, what becomes of a kernel, and what is printed."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import complaints, fail, run, succeed
from house_rules import ROOT

from gpuconv import device, registry
from gpuconv.benchmarks import (
    cases,
    contest,
    figures,
    measure,
    suite,
    values,
)
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.kernels.elementwise import ElementwiseProblem

CPU = device.CPU
ROOF = Ceilings(1e11, 1e10)
QUICK = {"seconds": 0, "rounds": 3}
MINE = """
from gpuconv.kernels.relu.op import relu
import numpy as np
@relu.kernel("mine", backend="numpy", rank=99)
def mine(outs, ins, problem, work):
    {body}
"""


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-4)


@pytest.fixture
def relu(monkeypatch):
    """The op, its kernels as they were afterwards."""
    op = registry.get_op("relu")
    op.kernels()
    monkeypatch.setattr(op, "_kernels", list(op._kernels))
    yield op
    registry._CHOSEN.clear()


@pytest.fixture
def small(monkeypatch):
    """Ceilings that cost nothing."""
    monkeypatch.setattr("gpuconv.cli.bench.ceilings", lambda: ROOF)


def case(op="relu", shape=(2, 3, 4, 5)):
    return cases.Case("net", ("layer",), op, ElementwiseProblem(shape))


# ---- what becomes of a kernel ---------------------------------------------------------------


def rows(one, contestants):
    return {row.name: row for row in contest.rows(one, contestants, ROOF, CPU, **QUICK)}


def test_every_kernel_is_checked_and_timed():
    found = rows(case(), contest.kernels(case(), CPU))
    assert set(found) == {k.name for k in registry.get_op("relu").kernels() if "cpu" in k.devices}
    chosen = registry.choose(registry.get_op("relu"), case().problem, CPU).name
    assert [row.name for row in found.values() if row.is_chosen] == [chosen]
    assert found[chosen].ratio == 1.0
    for row in found.values():
        assert row.state == figures.MEASURED
        assert row.timing.shortest <= row.timing.median <= row.timing.longest
        assert row.roofline == pytest.approx(row.bytes / 1e10 / row.timing.median)


def test_a_wrong_kernel_is_never_timed(relu):
    calls = []

    @relu.kernel("wrong", backend="numpy", rank=99)
    def wrong(outs, ins, problem, work):
        calls.append(1)
        np.abs(ins[0], out=outs[0])

    row = rows(case(), contest.kernels(case(), CPU, ["wrong"]))["numpy:wrong"]
    assert (row.state, row.timing, len(calls)) == (figures.WRONG, None, 1)
    assert "elements are wrong" in row.note


def test_a_kernel_that_raises_and_one_that_refuses_are_rows(relu):
    @relu.kernel("broken", backend="numpy", rank=99)
    def broken(outs, ins, problem, work):
        raise ZeroDivisionError("no")

    relu.kernel("shy", backend="numpy", refuses=lambda p, d: "is shy")(broken)
    found = rows(case(), contest.kernels(case(), CPU))
    assert (found["numpy:broken"].state, found["numpy:shy"].state) == ("failed", "refuses")
    assert found["numpy:broken"].note == "ZeroDivisionError: no"
    assert found["numpy:shy"].note == "is shy"
    assert found["numpy:masked"].timing is not None


def test_a_kernel_that_writes_beside_its_out_is_wrong(relu):
    @relu.kernel("greedy", backend="numpy", rank=99)
    def greedy(outs, ins, problem, work):
        np.maximum(ins[0], 0, out=outs[0])
        ins[0][...] = 0

    assert rows(case(), contest.kernels(case(), CPU, ["greedy"]))["numpy:greedy"].state == "wrong"


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d", "cross_entropy_backward", "batch_norm"])
def test_the_truth_is_the_reference_and_numpys_kernel_says_the_same(name, monkeypatch):
    op = registry.get_op(name)
    problem = next(iter(op.cases()))
    arrays = values.values(op, problem)
    loops = values.truth(op, problem, arrays)
    monkeypatch.setattr(values, "LOOPS", -1)
    fast = values.truth(op, problem, arrays)
    for one, other in zip(loops.outs, fast.outs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    for one, other in zip(loops.scales, fast.scales, strict=True):  # magnitudes: float32 will do
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-12)


def test_values_of_a_benchmark_are_finite():
    op = registry.get_op("max_pool2d")
    x, *_ = values.values(op, next(iter(op.cases())))
    assert np.isfinite(x).all()
    assert x.std() > 0.5


# ---- the command ----------------------------------------------------------------------------


def test_the_command_prints_a_table(small):
    lines = succeed(
        "bench", "relu", "--shapes", "lenet", "--batch-size", 2, "--device", "cpu", "--against",
        "numpy", "--seconds", 0, "--rounds", 3,
    )  # fmt: skip
    assert any("ceilings: 100 GFLOP/s, 10 GB/s" in line for line in lines)
    assert any("lenet5 relu1, batch" in line or "lenet5 relu1" in line for line in lines)
    assert sum("numpy:masked" in line for line in lines) == 4


def test_a_kernel_of_ones_own_takes_part(small, relu, tmp_path):
    file = tmp_path / "mine.py"
    options = ["--batch-size", 2, "--device", "cpu", "--against", "", "--seconds", 0]
    for body, state in (("np.maximum(ins[0], 0, out=outs[0])", "mine"), ("pass", "wrong")):
        file.write_text(MINE.format(body=body))
        lines = succeed("bench", "relu", "--shapes", "lenet", "--with", file, *options)
        found = [line for line in lines if "numpy:mine" in line]
        assert len(found) == 4
        assert all(state in line for line in found)


def test_ctrl_c_leaves_what_there_is(small, monkeypatch):
    real, count = contest.rows, []

    def interrupted(*args, **options):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(contest, "rows", interrupted)
    done = run("bench", "relu", "--shapes", "lenet", "--batch-size", 2, "--device", "cpu",
               "--against", "", "--seconds", 0)  # fmt: skip
    assert done.exit_code == 130
    assert complaints(done.stderr) == ["interrupted after 2 of 4 cases"]
    assert "relu1" in done.stdout
    assert "relu3" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cov2d"], ["unknown op or model 'cov2d'; did you mean conv2d?", "lenet5"]),
        (["--shapes", "vgg"], []),
        (["--shapes", "alexnt"], ["did you mean alexnet?"]),
        (["--against", "tensorflow"], ["unknown peer 'tensorflow'", "numpy, torch, onnxruntime"]),
        (["relu", "--algorithm", "winograd"], ["unknown kernel 'winograd'", "numba:vectors"]),
        (["lrn", "--shapes", "lenet"], ["lenet5 has no lrn", "conv2d"]),
        (["relu", "--with", "nothing.py"], ["nothing.py is no Python file"]),
    ],
)
def test_what_is_unknown_is_answered_with_what_there_is(arguments, words, small, monkeypatch):
    monkeypatch.setattr(suite, "rows", lambda *_: iter(()))
    if not words:
        succeed("bench", *arguments)
        return
    said = fail("bench", *arguments)
    assert all(word in said for word in words), said


def test_the_mean_of_ratios_is_geometric():
    assert figures.geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert figures.geometric_mean([]) is None


def test_the_suite_for_pytest_benchmark_checks_the_same_cases():
    options = ["-q", "-p", "no:cacheprovider", "--benchmark-disable", "--images", "2"]
    command = [sys.executable, "-m", "pytest", "benchmarks", *options, "-k", "relu-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
