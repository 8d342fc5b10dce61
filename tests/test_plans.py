"""Plans: what is kept, what is ignored and why, and that a plan never makes a wrong choice."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from plan_parts import CONV, KEY, PROBLEM, chosen, file, ignored, made, other, own_choices, usual

from gpuconv import machine, ops, plans, registry
from gpuconv.device import CPU
from gpuconv.errors import DataError, DeviceError, KernelError
from gpuconv.limits import limits
from gpuconv.plans import Entry, Plan, Section, files
from gpuconv.problem import Problem

__all__ = ["file", "own_choices"]
pytestmark = pytest.mark.usefixtures("own_choices")


def test_the_entry_is_taken_before_cost_and_rank(caplog):
    assert chosen(made(other())) == other()
    assert usual() != other()
    assert caplog.messages == []


def test_a_name_goes_before_the_entry_and_leaves_the_rest_of_the_plan():
    planned = other()
    named = next(n for n in ("numpy:im2col", "numba:direct") if n != planned)
    with limits(plan=made(planned)):
        assert registry.choose(CONV, PROBLEM, CPU, named).name == named
        with limits(plan={"conv2d": named}):
            assert registry.choose(CONV, PROBLEM, CPU).name == named
        with limits(plan={"relu": "numpy"}):
            assert registry.choose(CONV, PROBLEM, CPU).name == planned


def test_a_key_has_every_field_that_is_not_at_its_default():
    assert plans.key("conv2d", PROBLEM) == KEY
    blocked = replace(PROBLEM, format="NCHWc8", epilogue="relu", stride=(2, 1))
    more = {"stride=(2,1)", "epilogue=relu", "format=NCHWc8"}
    assert set(plans.key("conv2d", blocked).split()) == {*KEY.split(), *more}
    wide = PROBLEM.astype("float64")
    assert set(plans.key("conv2d", wide).split()) == {*KEY.split(), "dtype=float64"}
    assert "precision=tf32" in plans.key("conv2d", replace(PROBLEM, precision="tf32"))


def test_problems_that_differ_have_keys_that_differ():
    for op in registry.ops().values():
        problems = {problem for case in op.cases() for problem in (case, case.astype("float64"))}
        assert len({plans.key(op.name, problem) for problem in problems}) == len(problems)


def test_a_file_comes_back_as_it_was_with_a_line_for_each_problem(file):
    elsewhere = Section({"kind": "cpu", "name": "Other"}, {"gpuconv": "0"}, {KEY: Entry("a:b")})
    given = made("numba:direct", **{"numba:direct": 0.00123456, "numpy:im2col": 0.001}).merged(
        Plan([elsewhere])
    )
    plans.save(given, file)
    back = plans.load(file)
    assert {s.place for s in back.sections} == {s.place for s in given.sections}
    entry = back.entry("conv2d", PROBLEM, CPU)
    assert entry.kernel == "numba:direct"
    assert entry.seconds == pytest.approx({"numpy:im2col": 0.001, "numba:direct": 0.001235})
    (line,) = (n for n in file.read_text().splitlines() if "numpy:im2col" in n)
    assert line == (
        f'  "{KEY}": {{"kernel": "numba:direct", "ms": {{"numpy:im2col": 1.0, '
        '"numba:direct": 1.235}}'
    )
    assert files.text(back) == file.read_text()
    assert plans.load(file) is back
    assert list(file.parent.iterdir()) == [file]


def test_more_entries_keep_what_is_fresh_and_drop_the_same_device_with_other_versions():
    now = machine.identity(CPU)
    stale = Section(now, {"gpuconv": "0"}, {"old": Entry("a:b")})
    elsewhere = Section({"kind": "cuda"}, {}, {"far": Entry("a:b")})
    both = Plan([stale, elsewhere]).having(CPU, {"one": Entry("a:b")})
    both = both.having(CPU, {"two": Entry("c:d")})
    assert sorted(n for s in both.sections for n in s.entries) == ["far", "one", "two"]


# ---- what is ignored, with a line --------------------------------------------------------------


def test_a_plan_for_another_device(caplog, file):
    facts = {"kind": "cpu", "name": "Other CPU", "simd": "avx512", "threads": 64}
    plans.save(Plan([Section(facts, machine.versions("cpu"), {KEY: Entry(other())})]), file)
    line = ignored(file, caplog)
    assert line.startswith(
        f"{file}: ignored: made for cpu Other CPU avx512 64 threads, not for cpu "
    )
    assert line.endswith("; gpuconv tune measures here")


@pytest.mark.parametrize("name", ["gpuconv", "numba", "kernels"])
def test_a_plan_of_other_versions(caplog, name):
    versions = {**machine.versions("cpu"), name: "0.0.1"}
    given = Plan([Section(machine.identity(CPU), versions, {KEY: Entry(other())})])
    now = machine.versions("cpu")[name]
    assert ignored(given, caplog) == (
        f"plan: ignored: made with {name} 0.0.1 (here {now}); gpuconv tune measures here"
    )


def test_the_fingerprint_is_of_every_source(tmp_path, monkeypatch):
    assert machine.versions("cpu")["kernels"] == machine._fingerprint("cpu")
    package = type(machine)("fake")
    package.__path__ = [str(tmp_path)]
    (tmp_path / "family").mkdir()
    source = tmp_path / "family" / "cuda_direct.cu"
    source.write_text("one")
    monkeypatch.setattr(machine.importlib, "import_module", lambda name: package)
    before = machine._fingerprint("cpu")
    assert machine._fingerprint("cpu") == before != machine._fingerprint("cuda")
    source.write_text("two")
    assert machine._fingerprint("cpu") != before


def test_a_kernel_that_was_removed(caplog):
    assert ignored(made("numba:removed"), caplog) == (
        "plan: conv2d: numba:removed is passed over: there is no such kernel here"
    )


def test_a_kernel_that_refuses(caplog, monkeypatch):
    monkeypatch.setattr(CONV, "_kernels", list(CONV.kernels()))

    @CONV.kernel("picky", backend="numpy", refuses=lambda problem, device: "takes nothing")
    def run(outs, ins, problem, work):
        raise AssertionError("was run")

    assert ignored(made("numpy:picky"), caplog) == (
        "plan: conv2d: numpy:picky is passed over: takes nothing"
    )


def test_a_kernel_over_the_limits_is_passed_over_in_silence(caplog):
    sizes = {k.name: k.workspace(PROBLEM, CPU) for k in CONV.kernels() if "cpu" in k.devices}
    large = max(sizes, key=lambda name: sizes[name])
    with limits(plan=made(large)):
        assert registry.choose(CONV, PROBLEM, CPU).name == large
        with limits(max_workspace=sizes[large] - 1):
            assert registry.choose(CONV, PROBLEM, CPU).name != large
    assert caplog.messages == []


def test_a_file_that_is_not_there_is_an_error_before_the_block(tmp_path):
    missing = pytest.raises(DataError, match="no plan can be read here .*; gpuconv tune makes one")
    with missing, limits(plan=tmp_path / "none.json"):
        pytest.fail("the block was entered")
    assert plans.open_or_new(tmp_path / "none.json").sections == []
    with pytest.raises(DeviceError, match="the plan cannot be written"):
        plans.save(made("numba:direct"), tmp_path)


# ---- this machine's plan ------------------------------------------------------------------------


@pytest.fixture
def cached(monkeypatch, file):
    monkeypatch.setenv("GPUCONV_PLAN", str(file))
    plans.usual.cache_clear()
    yield file
    plans.usual.cache_clear()


def test_the_plan_of_this_machine_holds_unless_another_is_given(cached):
    with limits(plan=Plan()):
        expected, planned = usual(), other()
    plans.save(made(planned), cached)
    assert usual() == planned != expected
    assert chosen(Plan()) == expected


def test_it_lies_in_the_cache_unless_the_variable_says_otherwise(monkeypatch, tmp_path):
    assert plans.place() is None  # as the tests have it
    monkeypatch.delenv("GPUCONV_PLAN")
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    assert plans.place() == tmp_path / "plan.json"


def test_a_damaged_one_is_ignored_with_a_line(cached, caplog):
    cached.write_text("{")
    x = np.ones((1, 1, 3, 3), np.float32)
    assert ops.conv2d(x, x).item() == 9
    assert [line.partition(" (")[0] for line in caplog.messages] == [
        f"{cached}: ignored: it is not JSON"
    ]


def test_it_says_nothing_of_a_kind_of_device_that_it_has_not(cached, caplog):
    gpu = Plan([Section({"kind": "cuda", "name": "A GPU"}, {}, {KEY: Entry("cuda:direct")})])
    plans.save(gpu, cached)
    usual()
    assert caplog.messages == []
    assert "made for cuda A GPU, not for cpu" in ignored(cached, caplog)


def test_shipped_plans_stand_behind_it_and_foreign_ones_say_nothing(
    cached, monkeypatch, tmp_path, caplog
):
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(files, "SHIPPED", tmp_path / "shipped")
    foreign = Plan([Section({"kind": "cpu", "name": "Other"}, {}, {KEY: Entry("a:b")})])
    plans.save(foreign, tmp_path / "shipped" / "other.json")
    with limits(plan=Plan()):
        expected, planned = usual(), other()
    assert usual() == expected
    plans.save(made(planned), tmp_path / "shipped" / "mine.json")
    plans.usual.cache_clear()
    registry._CHOSEN.clear()
    assert usual() == planned
    plans.save(made(expected), cached)
    plans.usual.cache_clear()
    registry._CHOSEN.clear()
    assert usual() == expected
    assert caplog.messages == []


def test_a_plan_taken_over_from_elsewhere_holds_here():
    there = Section({"kind": "cpu", "name": "Other"}, {"gpuconv": "0"}, {KEY: Entry(other())})
    gpu = Section({"kind": "cuda"}, {}, {KEY: Entry("cuda:direct")})
    assert chosen(Plan([there, gpu]).adopted(CPU)) == other()


# ---- limits that nothing meets -------------------------------------------------------------------


def test_an_impossible_set_says_which_limit_rules_out_what():
    with limits(max_workspace=0, max_error=1e-9), pytest.raises(KernelError) as caught:
        registry.choose(CONV, PROBLEM, CPU)
    told = str(caught.value)
    for kernel in CONV.kernels():
        if "cpu" in kernel.devices:
            assert f"{kernel.name}: " in told
    assert "over max_workspace=0" in told
    assert "over max_error=1.0e-09" in told


@dataclass(frozen=True)
class Sized(Problem):
    """A problem without a default."""

    n: int = 1


def test_kernels_that_are_loaded_leave_choices_of_other_ops_alone(monkeypatch):
    monkeypatch.setattr(registry, "_OPS", dict(registry._OPS))
    usual()
    before = dict(registry._CHOSEN)
    loading = registry.Op("loading", Sized, (), ("y",), lambda problem: 0.0, lambda: [])
    loading.kernel("plain", backend="numpy")(lambda outs, ins, problem, work: None)
    assert registry._CHOSEN == before != {}


def test_a_problem_at_its_defaults_is_the_ops_name():
    assert plans.key("op", Sized()) == "op"
