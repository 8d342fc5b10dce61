"""gpuconv bench --compare: what is a change, and what is noise within runs or between them."""

from gpuconv.benchmarks import figures, history
from gpuconv.benchmarks.figures import Row
from gpuconv.benchmarks.measure import Timing


def row(name, timing):
    return Row("net", "conv2d", "n=4", 4, name, False, figures.MEASURED, timing=timing)


def kept_of(*medians):
    """Lines of runs of three kernels, whose medians are these."""
    return [
        {"op": "conv2d", "problem": "n=4", "name": name, "state": figures.MEASURED, "median": m,
         "shortest": m, "longest": m, "runs": 5}
        for m in medians for name in "abcdef"
    ]  # fmt: skip


def verdicts(kept, *seconds):
    def still(s):
        return Timing(s, s, s, 5, s, s)

    now = [row(n, still(s)) for n, s in zip("abcdef", seconds, strict=False)]
    return [change.verdict for change in history.compare(now, kept)]


def test_runs_that_differ_among_each_other_are_noise():
    """Three runs at 1.0, 1.1 and 1.2 s: 1.3 s may be another of the kind, 2 s is not."""
    assert verdicts(kept_of(1.0, 1.1, 1.2), 1.3) == ["within noise"]
    assert verdicts(kept_of(1.2, 1.2, 1.2), 1.3) == ["slower"]
    assert verdicts(kept_of(1.0, 1.1, 1.2), 2.0) == ["slower"]


def test_what_all_figures_do_at_once_tells_how_runs_differ():
    assert verdicts(kept_of(1.0), 1.0, 1.1, 0.9, 1.12, 0.92)[1] == "within noise"
    assert verdicts(kept_of(1.0), 1.0, 1.0, 1.0, 1.0, 1.1) == [*["same"] * 4, "slower"]


def test_quartiles_count_where_they_are_kept():
    wide = {**kept_of(1.0)[0], "low": 0.7, "high": 1.3}
    assert verdicts([wide], 1.2) == ["within noise"]
    assert verdicts(kept_of(1.0)[:1], 1.2) == ["slower"]
