"""Every kernel of this CPU on every case, checked and then timed by pytest-benchmark."""

from typing import Any

from gpuconv import registry
from gpuconv.benchmarks import contest, figures
from gpuconv.benchmarks.cases import Case
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.benchmarks.values import truth, values


def test_kernel(
    entry: tuple[Case, contest.OwnKernel], benchmark: Any, roof: Ceilings | None
) -> None:
    """The kernel is right, and this is how long it takes."""
    case, one = entry
    op = registry.get_op(case.op)
    arrays = values(op, case.problem)
    row, call = contest.check(case, one, arrays, truth(op, case.problem, arrays))
    if call is None:
        raise AssertionError(f"{one.name} on {case.op} {case.name}: {row.state}: {row.note}")
    benchmark.group = f"{case.op} {case.name}"
    benchmark(call)
    benchmark.extra_info.update(workspace=row.workspace, error=row.error, problem=row.problem)
    if roof is not None and benchmark.stats is not None:
        benchmark.extra_info.update(_speed(row, benchmark.stats.stats.median, roof))


def _speed(row: figures.Row, seconds: float, roof: Ceilings) -> dict[str, float]:
    return {
        "GFLOP/s": row.flops / seconds / 1e9,
        "GB/s": row.bytes / seconds / 1e9,
        "% of roofline": 100 * figures.share(row.flops, row.bytes, seconds, roof),
    }
