"""The battery notices every planted fault, and names it."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from gpuconv import battery, registry
from gpuconv.battery import BatteryError
from gpuconv.device import CPU
from gpuconv.registry import choose

CONV = registry.get_op("conv2d")
CASES = list(CONV.cases())
PROBLEM, EMPTY = CASES[0], next(p for p in CASES if p.n == 0)
SOUND = choose(CONV, PROBLEM, CPU, "im2col")


def faulty(fault, **changed):
    """The sound kernel with ``fault(outs, ins, problem, work)`` after it; nothing is registered."""

    def run(outs, ins, problem, work):
        SOUND.run(outs, ins, problem, work)
        fault(outs, ins, problem, work)

    return replace(SOUND, algorithm="faulty", run=run, **changed)


def whole(array):
    """The flat array, guard bands and all, that ``array`` is a part of."""
    while array.base is not None:
        array = array.base
    return array


def writes_before(outs, ins, problem, work):
    whole(outs[0])[battery.BAND - 1] = 0


def writes_behind(outs, ins, problem, work):
    whole(outs[0])[-battery.BAND] = 0


def overruns_workspace(outs, ins, problem, work):
    whole(work)[-battery.BAND] = 0


def changes_an_input(outs, ins, problem, work):
    ins[1][0, 0, 0, 0] += 1


def flips_the_sign_of_an_input_zero(outs, ins, problem, work):
    ins[0][0, 0, 0, 0] *= -1


def is_off_by_100_ulp(outs, ins, problem, work):
    at = np.unravel_index(np.abs(outs[0]).argmax(), outs[0].shape)
    outs[0][at] *= 1 + 100 * problem.eps


def gives_nan(outs, ins, problem, work):
    outs[0].fill(np.nan)


def gives_infinity(outs, ins, problem, work):
    outs[0][0, 0, 0, 0] = np.inf


FAULTS = {
    writes_before: "y: wrote before the array",
    writes_behind: "y: wrote behind the array",
    overruns_workspace: "work: wrote behind the array",
    changes_an_input: "changed its input weight",
    flips_the_sign_of_an_input_zero: "changed its input x",
    is_off_by_100_ulp: "y: 1 of 336 elements are wrong",
    gives_nan: "y: 336 of 336 elements are wrong",
    gives_infinity: r"y: 1 of 336 elements are wrong, first at \(0, 0, 0, 0\): got inf",
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_named(fault, dtype):
    problem = PROBLEM.astype(dtype)
    battery.check(CONV, SOUND, problem, CPU)
    with pytest.raises(BatteryError, match=FAULTS[fault]) as caught:
        battery.check(CONV, faulty(fault), problem, CPU)
    assert str(caught.value).startswith(f"conv2d[numpy:faulty] {problem}")


def test_a_kernel_that_is_not_deterministic():
    calls = []

    def fault(outs, ins, problem, work):
        calls.append(1)
        outs[0][0, 0, 0, 0] *= 1 + len(calls) * problem.eps

    with pytest.raises(BatteryError, match="y: two runs gave different bits"):
        battery.check(CONV, faulty(fault), PROBLEM, CPU)


def test_a_bias_that_is_dropped():
    def run(outs, ins, problem, work):
        SOUND.run(outs, (*ins[:2], None), problem, work)

    kernel = replace(SOUND, run=run)
    with pytest.raises(BatteryError, match="elements are wrong"):
        battery.check(CONV, kernel, PROBLEM, CPU)
    battery.check(CONV, kernel, PROBLEM, CPU, optional=False)


def test_a_gradient_that_is_uninitialised_at_batch_0():
    op = registry.get_op("conv2d_weight")
    sound = choose(op, EMPTY, CPU)

    def run(outs, ins, problem, work):
        if problem.n:
            sound.run(outs, ins, problem, work)

    battery.check(op, sound, EMPTY, CPU)
    with pytest.raises(BatteryError, match="dweight: 108 of 108 elements are wrong"):
        battery.check(op, replace(sound, run=run), EMPTY, CPU)


def forgetful(kernel):
    """The kernel, but that the last element of its first out is never written."""

    def run(outs, ins, problem, work):
        made = np.empty_like(outs[0])
        kernel.run((made, *outs[1:]), ins, problem, work)
        outs[0].reshape(-1)[:-1] = made.reshape(-1)[:-1]

    return replace(kernel, run=run)


def test_an_element_that_is_never_written():
    with pytest.raises(
        BatteryError, match=r"y: 1 of .*, first at \(1, 3, 6, 5\): got nan, expected"
    ):
        battery.check(CONV, forgetful(SOUND), PROBLEM, CPU)


def test_an_element_that_is_never_written_where_nan_is_expected(monkeypatch):
    op = registry.get_op("max_pool2d")
    problem = next(iter(op.cases()))
    sound = choose(op, problem, CPU)
    monkeypatch.setattr(op, "draw", lambda p, name, stream: np.full(p.spec(name)[0], np.nan))
    battery.check(op, sound, problem, CPU)
    with pytest.raises(BatteryError, match="y: two runs gave different bits, or left some unwrit"):
        battery.check(op, forgetful(sound), problem, CPU)


def test_an_update_that_does_not_happen():
    op = registry.get_op("sgd")
    problem = next(p for p in op.cases() if p.momentum)

    def run(outs, ins, problem, work):
        pass

    with pytest.raises(BatteryError, match="parameter: 1 of 1 elements are wrong"):
        battery.check(op, replace(choose(op, problem, CPU), run=run), problem, CPU)


def compare(got, want, scale, allowed=8.0, dtype="float32"):
    got, want = np.asarray(got, dtype), np.asarray(want, float)
    return battery.compare("here", got, want, scale, allowed, PROBLEM.astype(dtype))


def test_the_error_is_measured_in_units_of_eps_times_scale():
    eps = 2.0**-23
    assert compare([1 + 4 * eps, 2.0], [1.0, 2.0], [1.0, 2.0]) == pytest.approx(4)
    assert compare([1 + 4 * eps], [1.0], [2.0]) == pytest.approx(2)
    with pytest.raises(BatteryError, match=r"got 1\.000001.*expected 1\.0, allowed error 9\.54e-"):
        compare([1 + 9 * eps], [1.0], [1.0])


def test_exact_means_exact():
    assert compare([1.0, -0.0], [1.0, 0.0], 0.0) == 0
    for wrong in (np.nextafter(np.float32(1), 2), np.nan, np.inf):
        with pytest.raises(BatteryError):
            compare([wrong], [1.0], 0.0)


def test_nan_and_infinity_are_only_right_where_they_are_expected():
    assert compare([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf], np.inf) == 0
    assert compare([np.nan], [np.nan], np.nan) == 0
    for got, want in (
        (1.0, np.inf),
        (-np.inf, np.inf),
        (np.inf, 1.0),
        (np.nan, 1.0),
        (1.0, np.nan),
    ):
        for scale in (0.0, 1.0, np.inf, np.nan):
            with pytest.raises(BatteryError):
                compare([got], [want], scale)


def test_an_underflow_is_no_error_but_only_where_rounding_is_allowed():
    assert compare([0.0], [2.0**-130], [2.0**-130]) <= 8
    with pytest.raises(BatteryError):
        compare([0.0], [2.0**-130], 0.0)


def test_a_wrong_shape():
    with pytest.raises(BatteryError, match=r"here has shape \(2,\), the reference \(1,\)"):
        compare([1.0, 1.0], [1.0], 1.0)


# What every op of the registry owes the battery

OPS = registry.ops()


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_cases_small_enough_for_loops(name):
    op = OPS[name]
    problems = list(op.cases())
    assert len(problems) >= 3
    assert len(set(problems)) == len(problems)
    for problem in problems:
        sizes = [prod(problem.spec(n.rstrip("?"))[0]) for n in (*op.ins, *op.outs)]
        assert max(op.flops(problem) / 2, *sizes) <= 20_000, problem


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_a_kernel_for_each_of_its_cases_on_the_cpu(name):
    for problem in battery.cases(OPS[name]):
        assert "cpu" in choose(OPS[name], problem, CPU).devices


@pytest.mark.parametrize("name", OPS)
def test_every_op_names_its_arrays_as_its_problem_does(name):
    op = OPS[name]
    assert set(op.updates) <= set(op.outs)
    for problem in op.cases():
        assert op.bytes(problem) >= 0
        assert op.flops(problem) >= 0
        outs = battery.expected(op, problem, battery.draw(op, problem))
        assert [np.shape(out) for out in outs] == [problem.spec(n.rstrip("?"))[0] for n in op.outs]
        break
