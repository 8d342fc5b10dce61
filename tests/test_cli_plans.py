"""Commands with a plan: it is used, refused where it is not there, ignored where it is damaged."""

import pytest
from command_line import QUICK, complaints, fail, finish, start, succeed

from gpuconv import plans, registry
from gpuconv.cli import train
from gpuconv.device import CPU
from gpuconv.plans import Entry, Plan

SHAPE = "n=1,c=3,h=6,w=6,k=4,r=3,s=3"


@pytest.mark.parametrize(
    "command",
    [
        ["train", *QUICK, "--out", "run"],
        ["eval", "."],
        ["predict", ".", "a.png"],
        ["bench", "conv2d", "--shapes", SHAPE],
        ["explain", SHAPE],
    ],
    ids=lambda command: command[0],
)
def test_a_plan_that_is_not_there_is_an_error(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.json").write_text('{"model": 1, "data": 1, "classes": 1}')
    said = fail(*command, "--plan", "none.json")
    assert said.startswith("none.json: no plan can be read here (No such file or directory)")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_training_follows_the_plan_and_says_in_its_folder_what_it_took(tmp_path):
    first = tmp_path / "first"
    succeed("train", *QUICK, "--out", first)
    taken = plans.load(first / "plan.json").entries(CPU)
    key = next(key for key in taken if key.startswith("linear ") and "epilogue" in key)
    (other,) = {"numba:tiled", "numpy:matmul"} - {taken[key].kernel}
    wish = tmp_path / "wish.json"
    plans.save(Plan().having(CPU, {key: Entry(other)}), wish)
    succeed("train", *QUICK, "--plan", wish, "--out", tmp_path / "second")
    found = plans.load(tmp_path / "second" / "plan.json").entries(CPU)
    assert found == {**taken, key: Entry(other)}


def test_a_damaged_plan_is_one_line_on_stderr(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text('{"gpuconv_plan": 3}')
    code, out, err = finish(start("explain", SHAPE, "--device", "cpu", "--plan", file))
    assert code == 0
    assert "numba:direct" in out
    assert complaints(err) == [
        f"{file}: ignored: it is a plan of format 3, this gpuconv reads 1",
    ]


def test_explain_shows_what_was_measured(tmp_path):
    file, key = tmp_path / "plan.json", "conv2d n=1 c=3 h=6 w=6 k=4 r=3 s=3"
    times = {"numpy:direct": 0.25, "numba:direct": 0.125}
    plans.save(Plan().having(CPU, {key: Entry("numpy:direct", times)}), file)
    lines = succeed("explain", SHAPE, "--device", "cpu", "--plan", file)
    (chosen,) = (line for line in lines if "* numpy:direct" in line)
    assert "250 measured" in chosen
    assert "the plan's: nothing is faster beyond the noise" in chosen
    (other,) = (line for line in lines if "  numba:direct" in line and "measured" in line)
    assert "measured: 0.50 times as long" in other


def test_bounds_hold_for_every_step_and_are_the_runs_own(tmp_path):
    out = tmp_path / "run"
    bounds = ["--max-workspace", 5_000_000, "--max-error", 1.1e-6]
    succeed("train", *QUICK, *bounds, "--out", out)
    held = [key for key in registry._CHOSEN if key[4].max_workspace == 5_000_000]
    taken = [(registry._CHOSEN[key], key[1], key[2]) for key in held]
    assert len(taken) > 20
    for kernel, problem, device in taken:
        assert isinstance(kernel, str) or kernel.workspace(problem, device) <= 5_000_000
        assert isinstance(kernel, str) or kernel.error * problem.eps <= 1.1e-6
    succeed("eval", out, "--device", "cpu", "--max-workspace", 10**7)
    said = fail("eval", out, "--device", "cpu", "--max-workspace", 99)
    assert "numba:direct: needs " in said
    assert "over max_workspace=99" in said


def test_bounds_that_nothing_meets_are_refused_before_there_is_a_folder(tmp_path):
    said = fail("train", *QUICK, "--max-error", 1e-9, "--out", tmp_path / "run")
    assert said.startswith("conv2d: no kernel takes ")
    assert "numba:winograd: has relative error up to 3.8e-06, over max_error=1.0e-09" in said
    assert list(tmp_path.iterdir()) == []


def test_bounds_are_looked_at_for_the_test_at_the_end_as_well(tmp_path, monkeypatch):
    asked, real = [], train.calls

    def calls(net, shape, **options):
        asked.append((shape[0], options["train"]))
        return real(net, shape, **options)

    monkeypatch.setattr(train, "calls", calls)
    succeed("train", *QUICK, "--max-workspace", 10**9, "--out", tmp_path / "run")
    assert asked == [(64, True), (256, False)]
