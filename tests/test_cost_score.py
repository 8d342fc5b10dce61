"""The score of the predicted times: which calls are timed, and what is counted."""

import json

from gpuconv import device, registry
from gpuconv.benchmarks import cost_score, measure
from gpuconv.candidates import candidates
from gpuconv.kernels.conv2d.op import Conv2dProblem

CONV = Conv2dProblem(2, 3, 9, 9, 4, 3, 3)


def made(ratio, is_planned=True):
    taken = {"numba:a": 1.0, "numpy:b": ratio}
    predicted = {"numba:a": 2.0, "numpy:b": 1.0}
    return cost_score.Scored("net", "conv", "conv2d", CONV, is_planned, "numpy:b", predicted, taken)


def test_a_choice_within_a_tenth_is_good_and_a_miss_is_told():
    found = [made(0.5), made(1.09), made(1.2, is_planned=False)]
    assert [one.good for one in found] == [True, True, False]
    assert [one.best for one in found] == ["numpy:b", "numba:a", "numba:a"]
    said = list(cost_score.summary(found))
    assert said[0].startswith("net conv: conv2d")
    assert "1.20 numpy:b chosen; numba:a 1e+03 ms" in said[0]
    assert said[-3].startswith("as a step calls them: 2 of 2 choices")
    assert said[-2].startswith("the same on plain arrays: 0 of 1 choices")
    assert said[-1].startswith("all: 2 of 3 choices within 10 % of the best (67 %); the worst")


def test_every_call_with_a_choice_is_scored_once():
    found = list(cost_score.wanted(["lenet5"], ["conv2d", "max_pool2d"], 2))
    assert len({(op.name, problem) for _, _, op, problem, _, _ in found}) == len(found)
    assert all(len(able) > 1 for *_, able in found)
    assert {op.name for _, _, op, *_ in found} == {"conv2d", "max_pool2d"}
    assert {planned for *_, planned, _ in found} == {True, False}


def test_a_run_times_all_candidates_and_keeps_them(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-4)
    out = tmp_path / "score.json"
    options = ["--batch-size", "1", "--seconds", "0", "--ops", "channel_sum", "--out", str(out)]
    cost_score.main(["--nets", "lenet", *options])
    kept = json.loads(out.read_text())
    assert kept["environment"]["date"]
    assert kept["summary"][-1].startswith("all: ")
    op = registry.get_op("channel_sum")
    for row in kept["score"]:
        assert row["chosen"] in row["seconds"]
        assert all(seconds > 0 for seconds in row["seconds"].values())
        assert set(row["seconds"]) <= {k.name for k in op.kernels()}
    assert len(kept["score"]) == len(list(cost_score.wanted(["lenet5"], ["channel_sum"], 1)))
    assert capsys.readouterr().out.splitlines()[-1].startswith("all: ")


def test_the_arrays_are_those_of_the_problem():
    op, problem = registry.get_op("conv2d"), CONV.in_format("NCHWc8")
    able = [one for one in candidates(op, problem, device.CPU) if not one.refused]
    taken = cost_score.score(op, problem, able, 0.0)
    assert set(taken) == {one.name for one in able}
