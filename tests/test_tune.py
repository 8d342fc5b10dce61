"""The tuner: what is measured, and what wins."""

import numpy as np
import pytest

from gpuconv import choices, models, plans, registry
from gpuconv.benchmarks import measure, tuner
from gpuconv.benchmarks.measure import Rivals
from gpuconv.benchmarks.tuner import Task
from gpuconv.device import CPU
from gpuconv.kernels.elementwise import ElementwiseProblem
from gpuconv.layers import CrossEntropyLoss
from gpuconv.limits import limits
from gpuconv.training.optimizers import SGD
from gpuconv.training.step import InferenceStep, TrainStep

RELU = Task("relu", ElementwiseProblem((2, 3, 4, 5)))
SHAPE = "n=1,c=3,h=6,w=6,k=4,r=3,s=3"
QUICK = {"seconds": 0, "rounds": 5}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-5)
    monkeypatch.setattr(registry, "_CHOSEN", {})


@pytest.fixture
def relu(monkeypatch):
    """The op relu; kernels that a test adds are gone afterwards."""
    op = registry.get_op("relu")
    monkeypatch.setattr(op, "_kernels", list(op.kernels()))
    return op


def plant(op, name, factor=1.0, **declared):
    @op.kernel(name, backend="numpy", **declared)
    def kernel(outs, ins, problem, work):
        np.multiply(np.maximum(ins[0], 0), factor, out=outs[0])


# ---- what is noise ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ([0.9] * 5, [1.0] * 5, True),
        ([0.9] * 4, [1.0] * 4, False),  # too few rounds to prove anything
        ([0.98] * 15, [1.0] * 15, False),  # sure, but not worth a change
        ([0.9] * 7 + [1.1], [1.0] * 8, True),
        ([0.9] * 6 + [1.1] * 2, [1.0] * 8, False),
        ([0.5] * 11 + [2.0] * 4, [1.0] * 15, False),
        ([0.5, 5.0, 0.6, 7.0, 0.7], [1.0, 9.0, 1.0, 9.0, 1.0], True),  # the machine, not the kernel
        ([1.0] * 9, [1.0] * 9, False),
        ([float("nan")] * 9, [1.0] * 9, False),
    ],
)
def test_faster_is_beyond_the_noise_or_not(mine, theirs, expected):
    assert Rivals({"mine": mine, "theirs": theirs}).beats("mine", "theirs") is expected
    assert not Rivals({"mine": mine, "theirs": theirs}).beats("theirs", "mine")


@pytest.fixture
def timed(monkeypatch):
    """Give out these samples by kernel, one after another, in place of timing."""

    def give(*measurements):
        left = [dict(samples) for samples in measurements]

        def interleaved(calls, **options):
            samples = left.pop(0)
            return Rivals({name: samples[name] for name in calls})

        monkeypatch.setattr(measure, "interleaved", interleaved)
        monkeypatch.setattr(measure, "quick", lambda call: 1e-3)
        return left

    return give


def tuned(op, task=RELU, wanted=("usual", "other")):
    with limits(plan=plans.Plan()):
        kernels = tuner.rivals(task, CPU, wanted)
        return tuner.tune(task, kernels, CPU, **QUICK)


@pytest.fixture
def two(relu):
    """Two kernels, of which the usual one is chosen."""
    plant(relu, "usual", cost=lambda problem, device: 0.0)
    plant(relu, "other", rank=99)
    return relu


SLOW, FAST = [2.0] * 5, [1.0] * 5
NOISE = [1.0, 1.0, 1.0, 1.0, 3.0]


def test_a_winner_replaces_the_kernel_before_if_it_wins_twice(two, timed):
    left = timed(*[{"numpy:usual": SLOW, "numpy:other": FAST}] * 2)
    found = tuned(two)
    assert left == []
    assert (found.before, found.kernel, found.factor) == ("numpy:usual", "numpy:other", 2.0)
    assert found.entry == plans.Entry("numpy:other", {"numpy:usual": 2.0, "numpy:other": 1.0})


@pytest.mark.parametrize(
    "samples",
    [
        [{"numpy:usual": [1.1] * 5, "numpy:other": NOISE}],
        [{"numpy:usual": FAST, "numpy:other": SLOW}],
        [
            {"numpy:usual": SLOW, "numpy:other": FAST},
            {"numpy:usual": FAST, "numpy:other": SLOW},
        ],
    ],
    ids=["noise", "slower", "only once"],
)
def test_else_it_stays(two, timed, samples):
    left = timed(*samples)
    found = tuned(two)
    assert left == []
    assert found.kernel == found.before == "numpy:usual"
    assert set(found.seconds) == {"numpy:usual", "numpy:other"}


def test_what_the_plan_has_is_the_kernel_before(two, timed):
    timed({"numpy:usual": FAST, "numpy:other": NOISE})
    with limits(plan=plans.Plan().having(CPU, {RELU.key: plans.Entry("numpy:other")})):
        kernels = tuner.rivals(RELU, CPU, ["usual"])
        assert {k.name for k in kernels} == {"numpy:usual", "numpy:other"}
        found = tuner.tune(RELU, kernels, CPU, **QUICK)
    assert found.kernel == found.before == "numpy:other"


def test_a_wrong_kernel_never_wins_though_it_was_chosen(relu, timed):
    plant(relu, "usual", factor=1.001, cost=lambda problem, device: 0.0)
    plant(relu, "other", rank=99)
    timed({"numpy:other": SLOW})
    found = tuned(relu)
    assert (found.before, found.kernel, found.factor) == ("numpy:usual", "numpy:other", None)
    (fault,) = found.faults
    assert fault.startswith("numpy:usual: wrong: ")


def test_where_all_are_wrong_nothing_is_timed(relu, timed):
    for name in ("usual", "other"):
        plant(relu, name, factor=2.0, cost=lambda problem, device: 0.0)
    timed()
    found = tuned(relu)
    assert found.seconds == {}
    assert len(found.faults) == 2


def test_a_hopeless_kernel_is_looked_at_once(two, timed, monkeypatch):
    timed({"numpy:usual": FAST})
    looks = iter([1.0, 10.0])
    monkeypatch.setattr(measure, "quick", lambda call: next(looks))
    found = tuned(two)
    assert found.kernel == "numpy:usual"
    assert sorted(found.seconds.values()) == [1.0, 10.0]


def test_those_that_refuse_or_are_over_the_limits_are_no_rivals(relu):
    plant(relu, "picky", refuses=lambda problem, device: "not today")
    plant(relu, "large", workspace=lambda problem, device: 1000)
    names = {k.name for k in tuner.rivals(RELU, CPU)}
    assert "numpy:large" in names
    assert not names & {"numpy:picky", "cuda:direct"}
    with limits(max_workspace=999):
        assert "numpy:large" not in {k.name for k in tuner.rivals(RELU, CPU)}


# ---- which problems there are ------------------------------------------------------------------


@pytest.mark.parametrize("mode", [tuner.TRAIN, tuner.INFER])
def test_the_problems_of_a_model_are_those_of_a_real_step(mode):
    net = models.create("lenet5")
    images = np.zeros((3, *net.input_shape), np.float32)
    with choices.apart() as held:
        if mode == tuner.INFER:
            InferenceStep(net)(images)
        else:
            optimizer = SGD(net.parameters(), lr=0.1)
            TrainStep(net, CrossEntropyLoss(), optimizer)(images, np.zeros(3, np.int64))
    real = {plans.key(op, problem) for op, problem, *_ in choices.choices(held)}
    found = {task.key for task in tuner.of_model("lenet5", 3, CPU, [mode])}
    assert found <= real
    assert {key.split()[0] for key in real - found} <= {"sgd", "zeros", "copy"}
    assert any("format=NCHWc" in key and "epilogue=relu" in key for key in found)


def test_weights_are_kept_where_only_inference_asks():
    both = {task.key: task.keeps for task in tuner.of_model("lenet5", 3, CPU)}
    alone = {task.key: task.keeps for task in tuner.of_model("lenet5", 3, CPU, [tuner.INFER])}
    assert set(alone.values()) == {True}
    assert not any(both[key] for key in set(alone) & set(both))


def test_a_shape_is_tuned_plain_and_in_blocks():
    found = [task.key for task in tuner.of_shape(SHAPE, ["conv2d"], None, CPU)]
    (plain, blocked) = found
    assert blocked.startswith(f"{plain} format=NCHWc")
