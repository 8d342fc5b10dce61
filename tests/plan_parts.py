"""A convolution's problem, plans for it, and what becomes of them."""

import logging
from dataclasses import replace

import pytest

from gpuconv import registry
from gpuconv.device import CPU
from gpuconv.limits import limits
from gpuconv.ops.conv import conv_problem
from gpuconv.plans import Entry, Plan, plan

CONV = registry.get_op("conv2d")
PROBLEM = conv_problem("conv2d", (2, 3, 8, 8), (4, 3, 3, 3))
KEY = "conv2d n=2 c=3 h=8 w=8 k=4 r=3 s=3"


@pytest.fixture
def own_choices(monkeypatch):
    """Choices made in a test are forgotten after it, and what was said as well."""
    monkeypatch.setattr(registry, "_CHOSEN", {})
    monkeypatch.setattr(plan, "_said", set())


@pytest.fixture
def file(tmp_path):
    """Where a plan is kept."""
    return tmp_path / "plan.json"


def usual():
    """What is chosen without a plan."""
    return registry.choose(CONV, PROBLEM, CPU).name


def other():
    """A kernel that takes the problem and is not chosen by itself."""
    names = [k.name for k in CONV.kernels() if "cpu" in k.devices]
    return next(n for n in names if n != usual() and registry.find(CONV, PROBLEM, CPU, n))


def made(kernel, **seconds):
    """A plan for this machine."""
    return Plan().having(CPU, {KEY: Entry(kernel, seconds)})


def chosen(given):
    """What is chosen with a plan."""
    with limits(plan=given):
        return registry.choose(CONV, PROBLEM, CPU).name


def ignored(given, caplog):
    """The one line that is said of a plan that changes nothing."""
    expected = usual()
    with limits(plan=given):
        for channels in (3, 5):  # once, however many problems there are
            problem = replace(PROBLEM, c=channels)
            registry.choose(CONV, problem, CPU)
        assert registry.choose(CONV, PROBLEM, CPU).name == expected
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("gpuconv", logging.WARNING)
    return record.getMessage()
