"""gpuconv tune on the command line: the plan it writes, how it goes on, and what it refuses."""

from time import sleep

import pytest
from command_line import fail, finish, run, start, succeed

from gpuconv import plans, registry
from gpuconv.benchmarks import measure, tuner
from gpuconv.cli import tune as command
from gpuconv.device import CPU
from gpuconv.limits import limits

SHAPE = "n=1,c=3,h=6,w=6,k=4,r=3,s=3"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-5)
    monkeypatch.setattr(registry, "_CHOSEN", {})


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sub" / "plan.json"


def tune(file, *more):
    return ["tune", SHAPE, "--plan", file, "--device", "cpu", "--seconds", 0, "--rounds", 5, *more]


def test_a_plan_is_made_and_kernels_are_chosen_by_it(file):
    lines = succeed(*tune(file))
    assert lines[1] == f"plan: {file}"
    problems = [t for op in ("conv2d", "conv2d_input", "conv2d_weight")
                for t in tuner.of_shape(SHAPE, [op], None, CPU)]  # fmt: skip
    plan = plans.load(file)
    entries = plan.entries(CPU)
    measured = [t for t in problems if len(tuner.rivals(t, CPU)) > 1]
    assert set(entries) == {task.key for task in measured}
    assert measured
    for task in measured:
        entry = entries[task.key]
        assert set(entry.seconds) == {k.name for k in tuner.rivals(task, CPU)}
        with limits(plan=plan):
            op = registry.get_op(task.op)
            assert registry.choose(op, task.problem, CPU).name == entry.kernel
    before = file.read_bytes()
    lines = succeed(*tune(file))
    assert lines[2].endswith(f"{len(measured)} are in the plan, 0 to measure")
    assert file.read_bytes() == before


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_what_was_measured_before_the_end_is_kept_and_not_measured_again(file, monkeypatch, ending):
    real, calls = tuner.tune, []

    def ends(task, *args, **options):
        calls.append(task.key)
        if len(calls) == 3:
            raise ending
        return real(task, *args, **options)

    monkeypatch.setattr(tuner, "tune", ends)
    result = run(*tune(file))
    if ending is KeyboardInterrupt:
        assert result.exit_code == command.INTERRUPTED
        assert "interrupted after 2 of " in result.stderr
    assert set(plans.load(file).entries(CPU)) == set(calls[:2])
    succeed(*tune(file))
    assert len(calls) == len(set(calls)) + 1  # the one that was cut short came again
    assert set(plans.load(file).entries(CPU)) == set(calls)
    done = len(set(calls))
    succeed(*tune(file, "--again"))
    assert len(calls) == 2 * done + 1


@pytest.mark.slow
def test_a_killed_one_leaves_a_whole_plan_and_goes_on(file):
    process = start("tune", "lenet5", "--plan", file, "--device", "cpu", "--seconds", 0.2)
    while process.poll() is None and not file.exists():
        sleep(0.02)
    process.kill()
    finish(process)
    done = plans.load(file).entries(CPU)
    assert done
    before = file.stat().st_mtime_ns
    lines = succeed(
        "tune", "lenet5", "--plan", file, "--device", "cpu", "--seconds", 0, "--rounds", 5
    )
    assert f" {len(done)} are in the plan" in lines[2]
    after = plans.load(file).entries(CPU)
    assert file.stat().st_mtime_ns > before
    assert {key: after[key] for key in done} == done
    assert len(after) > len(done)


def test_a_change_is_told_with_its_factor(file, monkeypatch):
    def tune_one(task, kernels, device, **options):
        before, now = (k.name for k in list(kernels)[:2])
        return tuner.Outcome(task, before, now, {before: 3e-3, now: 1e-3}, ("x:y: wrong: so",))

    monkeypatch.setattr(tuner, "tune", tune_one)
    result = run(*tune(file, "conv2d"))
    assert result.exit_code == 0
    changed = [line for line in result.stdout.splitlines() if "conv2d n=1" in line]
    assert changed
    assert all("3.00" in line for line in changed)
    assert "x:y: wrong: so" in result.stderr
    assert f"{len(changed)} changed; 0 stay" in result.stdout


def test_bad_asks_are_refused_before_anything_is_measured(file, monkeypatch):
    monkeypatch.setattr(tuner, "tune", lambda *a, **o: pytest.fail("measured"))
    with monkeypatch.context() as patch:
        patch.setattr(command, "resolve", lambda name: "emulated")
        assert "tune: an emulated GPU's time means nothing" in fail("tune", SHAPE, "--plan", file)
    assert "did you mean alexnet?" in fail("tune", "alexnt", "--plan", file)
    assert "GPUCONV_PLAN is none; name a file with --plan" in fail("tune", SHAPE)
    assert "no lrn; it has" in fail("tune", "lenet5", "lrn", "--plan", file, "--device", "cpu")
    assert not file.exists()
    file.parent.mkdir()
    file.write_text('{"gpuconv_plan": 99}')
    assert "plan of format 99, this gpuconv reads 1; move it away" in fail(*tune(file))
    assert file.read_text() == '{"gpuconv_plan": 99}'
