"""The same cases one at a time for pytest-benchmark: ``pytest benchmarks --benchmark-only``.

``--shapes`` as gpuconv bench has it, by default LeNet's. Ratios come from gpuconv bench alone,
whose rivals are timed in turn.
"""

from collections.abc import Iterator

import pytest

from gpuconv.benchmarks import cases, contest
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings, ceilings
from gpuconv.device import CPU
from gpuconv.limits import current_limits


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which shapes, and how many images."""
    parser.addoption("--shapes", default="lenet", help="as gpuconv bench has them")
    parser.addoption("--images", type=int, default=None, help="in a batch; default: the net's")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each kernel and case that the kernel does not refuse."""
    if "entry" in metafunc.fixturenames:
        found = list(_entries(metafunc.config))
        names = [f"{case.op}-{case.name}-{one.name}".replace(" ", "_") for case, one in found]
        metafunc.parametrize("entry", found, ids=names)


def _entries(config: pytest.Config) -> Iterator[tuple[cases.Case, contest.OwnKernel]]:
    shapes, images = config.getoption("--shapes"), config.getoption("--images")
    for case in cases.cases(shapes, batch_size=images):
        for one in contest.kernels(case, CPU):
            if one.kernel.objection(one.problem(case), CPU, current_limits()) is None:
                yield case, one


@pytest.fixture(scope="session")
def roof(request: pytest.FixtureRequest) -> Ceilings | None:
    """What this machine can do, where times are asked for."""
    return None if request.config.getoption("--benchmark-disable") else ceilings()
