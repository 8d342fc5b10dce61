"""Steps that backward takes early give the bits of a gradient and then the optimiser's step."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv.layers import Linear, ReLU
from gpuconv.training import early as module
from gpuconv.training.schedules import step_decay

# So few numbers are NumPy's otherwise.
COMPILED = dict.fromkeys(("linear", "linear_input", "linear_weight", "linear_sgd", "sgd"), "numba")
OPTIONS = [
    {},
    {"momentum": 0.9, "weight_decay": 5e-4},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "weight_decay": 5e-4, "form": "paper"},
]


@pytest.fixture(autouse=True)
def large_is_little(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1000)
    with gcv.limits(plan=COMPILED):
        yield


def images(step, n=9):
    rng = np.random.default_rng(step)
    return rng.standard_normal((n, 33), dtype=np.float32), rng.integers(0, 7, n)


def made(*, early=True, net=None, optimizer=gcv.SGD, **options):
    net = net or gcv.Sequential(Linear(33, 70), ReLU(), Linear(70, 40), ReLU(), Linear(40, 7))
    chosen = optimizer(net.parameters(), **{"lr": 0.1, **options})
    return gcv.TrainStep(net, gcv.CrossEntropyLoss(), chosen, early=early)


def bits(step):
    return [p.value.tobytes() for p in step.net.parameters()]


def kept(step):
    return [p.grad is not None for p in step.net.parameters() if len(p.shape) == 2]


def run(step, count=5):
    for k in range(count):
        step(*images(k, 9 - (k == 3)))  # the fourth batch is a smaller one
    return bits(step)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_bits_are_those_of_two_steps(options):
    soon, late = made(**options), made(early=False, **options)
    assert run(soon) == run(late)
    assert kept(soon) == [False, False, True], "the last weight is too small"
    assert kept(late) == [True] * 3
    np.testing.assert_array_equal(
        *(s.optimizer.state_dict().get("velocity", 0) for s in (soon, late))
    )


def test_schedules_groups_and_versions():
    def step(early):
        net = gcv.Sequential(Linear(33, 70), ReLU(), Linear(70, 40), ReLU(), Linear(40, 7))
        weights = [{"params": net[0].parameters(), "lr_scale": 0.1, "weight_decay": 0.5}]
        weights += [{"params": [*net[2].parameters(), *net[4].parameters()]}]
        rate = step_decay(0.1, 2)
        optimizer = gcv.SGD(weights, rate, momentum=0.9, weight_decay=5e-4)
        return gcv.TrainStep(net, gcv.CrossEntropyLoss(), optimizer, early=early)

    soon, late = step(True), step(False)
    before = [p.version for p in soon.net.parameters()]
    assert run(soon) == run(late)
    assert [p.version - n for p, n in zip(soon.net.parameters(), before, strict=True)] == [5] * 6


def test_what_changes_between_steps():
    both = made(momentum=0.9), made(momentum=0.9, early=False)
    for step in both:
        run(step)
        state = {k: v * 2 if k == "velocity" else v for k, v in step.optimizer.state_dict().items()}
        step.optimizer.load_state_dict(state)
        run(step)
        step.net[0].weight.trainable = False
        run(step)
    assert bits(both[0]) == bits(both[1])
    assert kept(both[0]) == [False, False, True]
    assert kept(both[1]) == [False, True, True]


def twice():
    """A net that goes through one layer two times."""
    net, layer = gcv.Graph(), Linear(33, 33)
    x = net.apply(layer, net.apply(ReLU(), net.apply(layer, net.input())))
    net.apply(Linear(33, 40), x)
    return net


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"clip_norm": 1.0}, [True] * 3),
        ({"optimizer": gcv.Adam}, [True] * 3),
        ({"net": twice()}, [True, False]),
    ],
    ids=["clipped", "Adam", "shared"],
)
def test_gradients_that_are_needed_first_are_kept(options, wanted):
    step = made(**options)
    step(*images(0))
    assert kept(step) == wanted


def test_where_other_kernels_are_asked_for_the_bits_are_theirs():
    both = made(), made(early=False)
    for step in both:
        with gcv.limits(plan={**COMPILED, "linear_weight": "numpy"}):
            run(step)
    assert bits(both[0]) == bits(both[1])
    assert kept(both[0]) == [True] * 3


def test_a_bad_learning_rate_changes_nothing():
    step = made()
    step(*images(0))
    before = bits(step)
    step.optimizer.base_lr = lambda step: float("nan")
    with pytest.raises(gcv.errors.OptionError, match="learning rate of step 1"):
        step(*images(1))
    assert bits(step) == before
    assert all(p.early is None for p in step.net.parameters())
