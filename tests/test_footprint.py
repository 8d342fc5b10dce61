"""The memory that training takes, as planned and as measured."""

import os
import re
import tracemalloc

import numpy as np
import pytest
from command_line import run, succeed

import gpuconv as gcv
from gpuconv.cli._peak import measured, optimizer
from gpuconv.errors import DeviceError, OptionError
from gpuconv.tracing import undone
from gpuconv.training.footprint import footprint, largest, peak

MIB = 2**20


def lenet():
    return gcv.models.create("lenet5")


@pytest.fixture(scope="module")
def plan():
    return footprint(lenet, optimizer, 64)


def test_the_parts_are_those_of_the_net(plan):
    size = 4 * 61_706
    assert (plan.weights, plan.gradients, plan.optimizer) == (size, size, size)
    kept = lenet().summary((1, 28, 28), batch_size=64).kept_bytes
    assert plan.activations > kept
    assert plan.workspaces > MIB
    assert plan.snapshots == 4 * size  # two, of weights and velocities
    assert plan.total == 7 * size + plan.activations + plan.workspaces


def test_a_plan_computes_nothing_and_is_the_same_twice(plan):
    assert abs(peak(lenet, optimizer, 64) - plan.total) < MIB / 4  # objects of Python's
    x = np.full((2, 8), 7, np.float32)
    with undone():
        y = gcv.ops.relu(x)
        y[...] = 5
        assert (gcv.ops.add(y, y) != 10).any()
    assert (gcv.ops.relu(x) == 7).all()


def test_frozen_weights_have_no_gradient():
    def frozen():
        return lenet().freeze("conv1")

    net = frozen()
    still = sum(p.size for p in net.parameters() if not p.trainable)
    found = footprint(frozen, optimizer, 2)
    assert still == 156
    assert (found.weights, found.gradients) == (4 * 61_706, 4 * (61_706 - still))


def test_a_trace_that_is_somebody_elses_is_left_alone():
    tracemalloc.start()
    try:
        with pytest.raises(OptionError, match="tracemalloc is tracing already"):
            footprint(lenet, optimizer, 2)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_the_largest_batch_that_fits():
    def linear(batch):
        if batch > 1000:
            raise DeviceError("no memory holds it")
        return 10 + 3 * batch

    for limit, expected in ((9, 0), (12, 0), (13, 1), (100, 30), (5000, 64), (309, 64)):
        assert largest(linear, 64, limit) == min(expected, 64)
    assert largest(linear, 5000, 10**6) == 1000


def test_summary_plans_and_says_what_fits():
    result = run("summary", "lenet5", "--batch-size", 8, "--train", "--memory", 0.002)
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert any(line.startswith("│ peak at batch 8") for line in lines)
    head = "a batch of 8 does not fit into 2.0 MiB; the largest batch that fits is "
    assert lines[-1].startswith(head)
    assert 0 < int(lines[-1].removeprefix(head)) < 8


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.exists("/proc/self/clear_refs"), reason="only Linux tells a process's peak"
)
def test_summary_measures():
    last = succeed("summary", "lenet5", "--batch-size", 64, "--measure")[-1]
    found = re.fullmatch(r"measured peak (.+) MiB; the plan is ([+-]\d+\.\d)% off", last)
    assert 10 < float(found[1]) < 40
    assert abs(float(found[2])) < 15


@pytest.mark.slow
@pytest.mark.skipif(
    not os.path.exists("/proc/self/clear_refs"), reason="only Linux tells a process's peak"
)
@pytest.mark.parametrize(("model", "batch"), [("lenet5", 512), ("alexnet", 16), ("resnet18", 8)])
def test_the_plan_is_within_5_percent_of_what_is_measured(model, batch):
    planned = footprint(lambda: gcv.models.create(model), optimizer, batch).total
    assert planned == pytest.approx(measured(model, None, batch), rel=0.05)
