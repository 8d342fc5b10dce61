"""Which kernel each call takes and why: candidates, the calls of a real step, gcv.explain."""

from dataclasses import replace

import numpy as np
import pytest
from plan_parts import KEY, PROBLEM, own_choices

import gpuconv as gcv
from gpuconv import device, errors, explanation, models, registry
from gpuconv.candidates import candidates
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.layers import BatchNorm2d, Conv2d, ReLU
from gpuconv.nodes import train_forward
from gpuconv.plans import Entry, Plan, key
from gpuconv.training.planned import FORK, calls

__all__ = ["own_choices"]
CPU = device.CPU
CONV2D = registry.get_op("conv2d")
CONV = Conv2dProblem(2, 3, 9, 9, 4, 3, 3)
DECLARED = {"rank": 1, "backend": "numpy"}


@pytest.fixture
def relu(monkeypatch):
    """The op, its kernels as they were afterwards."""
    op = registry.get_op("relu")
    op.kernels()
    monkeypatch.setattr(op, "_kernels", list(op._kernels))
    yield op
    registry._CHOSEN.clear()


def by_name(op, problem, *args):
    return {one.name: one for one in candidates(registry.get_op(op), problem, CPU, *args)}


# ---- candidates -----------------------------------------------------------------------------


def test_candidates_are_the_kernels_that_choose_sees_and_a_refusal_is_word_for_word():
    op, blocked = registry.get_op("conv2d"), CONV.in_format("NCHWc8")
    with gcv.limits(max_workspace=0):
        limits = registry.current_limits()
        for problem in (CONV, blocked):
            found = candidates(op, problem, CPU)
            refused = {one.name: one.reason for one in found if one.refused}
            reasons = {k.name: k.objection(problem, CPU, limits) for k in op.kernels()}
            assert refused
            assert refused == {n: reasons[n] for n in refused}
            assert {one.name for one in found} == {
                k.name for k in op.kernels() if "cpu" in k.devices
            }


def test_the_chosen_one_comes_first_and_the_others_say_how_much_longer():
    found = candidates(registry.get_op("conv2d"), CONV, CPU)
    assert found[0].name == registry.choose(registry.get_op("conv2d"), CONV, CPU).name
    assert [one.chosen for one in found] == [True] + [False] * (len(found) - 1)
    assert found[0].reason == "the lowest predicted time"
    ratio = found[1].predicted / found[0].predicted
    assert found[1].reason == f"predicted: {ratio:.2f} times as long"


@pytest.mark.parametrize(
    ("cost", "reason", "other"),
    [
        (lambda p, d: 0.0, "the lowest predicted time", None),
        (lambda p, d: None, None, "predicts no time, and so comes after those that do"),
    ],
)
def test_why_a_kernel_is_taken_or_not(relu, cost, reason, other):
    relu.kernel("mine", cost=cost, **DECLARED)(lambda *_: None)
    problem = next(iter(relu.cases()))
    mine = by_name("relu", problem)["numpy:mine"]
    assert (mine.chosen, mine.reason) == (reason is not None, reason or other)


def test_what_was_asked_for_and_what_was_measured_go_before_a_prediction():
    asked = by_name("conv2d", CONV, "direct")
    chosen = next(one for one in asked.values() if one.chosen)
    assert chosen.reason == "asked for as 'direct'"
    assert asked["numpy:im2col"].reason == "'direct' was asked for"
    with gcv.limits(plan={"conv2d": "numpy:im2col"}):
        assert by_name("conv2d", CONV)["numpy:im2col"].reason == "asked for as 'numpy:im2col'"


@pytest.mark.usefixtures("own_choices")
def test_a_plan_goes_before_a_prediction_and_shows_what_it_measured():
    first, second, third, *_ = (one.name for one in candidates(CONV2D, PROBLEM, CPU))
    seconds = {first: 0.5, second: 0.25}
    with gcv.limits(plan=Plan().having(CPU, {KEY: Entry(second, seconds)})):
        found = by_name("conv2d", PROBLEM)
        assert next(iter(found)) == second
        assert found[second].reason == "the fastest that was measured"
        assert (found[first].reason, found[first].seconds) == ("measured: 2.00 times as long", 0.5)
        assert found[third].measured is None
    with gcv.limits(plan=Plan().having(CPU, {KEY: Entry(first, seconds)})):
        reason = by_name("conv2d", PROBLEM)[first].reason
        assert reason == "the plan's: nothing is faster beyond the noise"
    with gcv.limits(plan=Plan().having(CPU, {KEY: Entry(second)})):
        assert by_name("conv2d", PROBLEM)[second].reason == "the plan names it"


def test_a_wrong_name_is_an_error_and_an_impossible_limit_is_not():
    with pytest.raises(errors.KernelError, match="no kernel named 'fastest'"):
        by_name("conv2d", CONV, "fastest")
    with gcv.limits(max_error=0.0):
        found = by_name("conv2d", CONV)
    assert not any(one.chosen for one in found.values())
    assert all("over max_error=0.0e+00" in one.reason for one in found.values())


# ---- the calls of a step --------------------------------------------------------------------


def reference_calls(net, x):
    """What really is called: by the kernels' own counting."""
    seen, real = [], registry.choose

    def counting(op, problem, *args):
        kernel = real(op, problem, *args)

        def run(outs, ins, problem, work):
            seen.append((op.name, problem))
            kernel.run(outs, ins, problem, work)

        return replace(kernel, run=run)

    return seen, counting, x, net


@pytest.mark.parametrize("train", [False, True])
def test_calls_are_those_of_a_real_step(train, monkeypatch):
    net = gcv.Sequential(
        Conv2d(3, 16, 3), BatchNorm2d(16), ReLU(), Conv2d(16, 16, 1), ReLU(), gcv.layers.Flatten(),
        gcv.layers.Linear(16 * 16, 10),
    )  # fmt: skip
    found = [(c.op, c.problem) for c in calls(net, (2, 3, 6, 6), train=train)]
    x = np.ones((2, 3, 6, 6), np.float32)
    seen, counting, *_ = reference_calls(net, x)
    monkeypatch.setattr("gpuconv.ops._call.choose", counting)
    if train:
        y, saved = train_forward(net, x)
        loss = gcv.CrossEntropyLoss()
        _, kept = loss.forward(y, np.zeros(2, np.int64), train=True)
        net.backward(loss.backward(1.0, kept)[0], saved, need_dx=False)
    else:
        gcv.InferenceStep(net)(x)
    assert found == seen
    assert any(problem.format != "NCHW" for _, problem in found)
    assert any(problem.epilogue == "relu" for _, problem in found)
    assert ("batch_norm" in dict(found)) == train


def test_a_net_is_as_it_was_after_its_calls_were_listed():
    net = models.create("resnet20")
    other = models.create("resnet20")
    drawn = net.parameters()[0]
    drawn.grad = np.full(drawn.shape, 2, np.float32)
    values = drawn.value.copy()
    before = [vars(layer).keys() for layer in net.children().values()]
    found = calls(net, (2, 3, 32, 32), train=True)
    assert FORK in {c.layer for c in found}
    assert {c.phase for c in found} == {"forward", "backward"}
    assert [vars(layer).keys() for layer in net.children().values()] == before
    np.testing.assert_array_equal(drawn.value, values)
    np.testing.assert_array_equal(drawn.grad, 2)
    assert not any(p.drawn for p in net.parameters()[1:])
    for (name, value), (_, wanted) in zip(
        net.state_dict().items(), other.state_dict().items(), strict=True
    ):
        np.testing.assert_array_equal(value, wanted, err_msg=name)


def test_a_net_in_float64_asks_for_float64():
    net = gcv.Sequential(Conv2d(3, 4, 3), ReLU()).astype("float64")
    assert {c.problem.dtype for c in calls(net, (1, 3, 5, 5))} == {"float64"}


def test_a_gpu_that_is_not_here_gets_plain_problems():
    gpu = explanation.named("sm_90")
    assert (gpu.kind, gpu.arch) == ("cuda", "sm_90a")
    found = calls(models.create("lenet5"), (2, 1, 28, 28), train=True, device=gpu)
    assert {c.problem.format for c in found} == {"NCHW"}
    assert len(found) == len(calls(models.create("lenet5"), (2, 1, 28, 28), train=True))


# ---- explain --------------------------------------------------------------------------------


def test_an_explanation_adds_up_and_reads():
    found = gcv.explain("resnet20", device="cpu", train=True, batch_size=2)
    assert sum(len(line.layers) for line in found.lines) == len(
        calls(models.create("resnet20"), (2, 3, 32, 32), train=True)
    )
    each = [len(line.layers) * (line.chosen.predicted or 0) for line in found.lines]
    assert found.seconds == pytest.approx(sum(each))
    assert sum(found.by_op().values()) == pytest.approx(found.seconds)
    line = found.lines[0]
    share = max(line.flops / found.ceiling.flops, line.bytes / found.ceiling.bandwidth)
    assert found.share(line, line.chosen) == pytest.approx(share / line.chosen.predicted)
    text = str(found)
    assert f"conv1 forward: conv2d {line.brief}" in text
    assert f"* {line.chosen.name}" in text


@pytest.mark.usefixtures("own_choices")
def test_a_measured_time_counts_in_an_explanation():
    net = gcv.Sequential(Conv2d(3, 4, 3))
    line = gcv.explain(net, (3, 8, 8), batch_size=2, device="cpu").lines[0]
    entry = Entry("numba:direct", {"numba:direct": 0.5})
    with gcv.limits(plan=Plan().having(CPU, {key(line.op, line.problem): entry})):
        found = gcv.explain(net, (3, 8, 8), batch_size=2, device="cpu")
    assert found.lines[0].chosen.measured == 0.5
    assert found.seconds == 0.5


def test_explain_takes_a_net_and_says_what_it_misses():
    net = gcv.Sequential(Conv2d(3, 4, 3))
    with pytest.raises(errors.OptionError, match=r"no input_shape; give it"):
        gcv.explain(net)
    assert gcv.explain(net, (3, 8, 8), device="cpu").lines[0].op == "conv2d"
    with pytest.raises(errors.OptionError, match="expected a net"):
        gcv.explain(3)  # type: ignore[arg-type]
    with pytest.raises(errors.ShapeError):
        gcv.explain(net, (5, 8, 8), device="cpu")


def test_another_architecture_refuses_with_its_own_reason(relu):
    relu.kernel("tma", backend="cuda", archs=("sm_90",))(lambda *_: None)
    problem = next(iter(relu.cases()))
    old = {one.name: one for one in candidates(relu, problem, explanation.named("sm_75"))}
    new = {one.name: one for one in candidates(relu, problem, explanation.named("sm_120"))}
    assert old["cuda:tma"].reason == "needs sm_90 or newer, this GPU is sm_75"
    assert not new["cuda:tma"].refused


@pytest.mark.parametrize("place", ["cpu", "sm_90"])
def test_every_op_has_a_predicted_time(place):
    here = CPU if place == "cpu" else explanation.named(place)
    for op in registry.ops().values():
        for problem in list(op.cases())[:8]:
            taken = next(one for one in candidates(op, problem, here) if one.chosen)
            assert taken.predicted is not None, (op.name, taken.name)
            assert 0 < taken.predicted < 1, (op.name, taken.name, str(problem))


def test_predictions_follow_the_width_of_the_vectors(monkeypatch):
    op, seconds = registry.get_op("conv2d"), []
    for level in ("generic", "avx2", "avx512"):
        monkeypatch.setenv("GPUCONV_SIMD", level)
        kernel = next(k for k in op.kernels() if k.name == "numba:direct")
        seconds.append(kernel.cost(Conv2dProblem(8, 64, 28, 28, 64, 3, 3), CPU))
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] > seconds[2]
