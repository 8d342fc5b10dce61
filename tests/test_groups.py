"""Learning rates of their own for groups of parameters."""

import numpy as np
import pytest
from test_transfer import bits, changed, net, train

import gpuconv as gcv
from gpuconv.errors import OptionError
from gpuconv.layers import Linear
from gpuconv.training.schedules import Plateau, cosine

MAKERS = {
    "sgd": lambda p: gcv.SGD(p, 0.05, 0.9, 1e-3),
    "adam": lambda p: gcv.Adam(p, 0.01),
}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def steps(model, make, lr_scale, count=3):
    return train(model, count, lambda _: make(gcv.param_groups(model, lr_scale)))


@makers
def test_a_factor_of_one_gives_the_same_bits(make):
    plain, grouped = net(), net()
    train(plain, make=make)
    steps(grouped, make, {"features": 1.0, "classifier.2": 1.0})
    assert bits(plain) == bits(grouped)


@makers
def test_a_factor_of_zero_changes_no_parameter(make):
    model = net()
    before = bits(model)
    steps(model, make, {"features": 0.0})
    kept = {n for n, _ in model.named_parameters() if n.startswith("features")}
    assert not changed(before, model) & kept
    assert "classifier.0.weight" in changed(before, model)


def test_each_group_moves_at_its_own_rate():
    """One step of plain SGD moves a parameter by rate times gradient."""
    slow, fast = net(), net()
    start = {n: p.value.copy() for n, p in slow.named_parameters()}
    by_name = {"features": 0.25, "features.3": 0.5}
    train(fast, 1, lambda p: gcv.SGD(p, 0.5))
    train(slow, 1, lambda _: gcv.SGD(gcv.param_groups(slow, by_name), 0.5))
    for (name, a), b in zip(slow.named_parameters(), fast.parameters(), strict=True):
        scale = 0.5 if "features.3" in name else 0.25 if "features" in name else 1
        moved, full = a.value - start[name], b.value - start[name]
        np.testing.assert_allclose(moved, scale * full, atol=1e-7)
        assert np.abs(full).max() > 0 or "features.0.bias" in name


def rates(model, groups, lr):
    """The rates that one step uses, by group."""
    used, optimizer = [], gcv.SGD(groups, lr)
    for parameter in model.parameters():
        parameter.add_grad(np.ones_like(parameter.value))
    optimizer.update = lambda part, rate: used.append(rate)
    optimizer.step()
    return used


def test_a_groups_own_rate_and_its_factor():
    model = gcv.Sequential(Linear(2, 2), Linear(2, 2), Linear(2, 2))
    a, b, c = (layer.parameters() for layer in model)
    schedule = cosine(0.4, 10)
    given = [
        {"params": a},
        {"params": iter(b), "lr": 0.2, "lr_scale": 0.5},
        {"params": c, "lr": schedule},
    ]
    assert rates(model, given, 0.3) == [0.3, 0.1, 0.4]


def test_parameters_of_one_group_that_lie_apart_and_together():
    model = gcv.Sequential(Linear(2, 2), Linear(2, 2), Linear(2, 2))
    assert rates(model, gcv.param_groups(model, {"1": 0.5}), 1.0) == [1.0, 0.5]
    assert rates(model, gcv.param_groups(model, {}), 1.0) == [1.0]
    assert rates(model, gcv.param_groups(model, {"0": 2, "1": 2, "2": 2}), 1.0) == [2.0] * 3


@makers
def test_a_state_goes_on_with_the_same_groups(make):
    scale = {"features": 0.1}
    model, other = net(), net()
    optimizer = steps(model, make, scale)
    other.load_state_dict(model.state_dict())
    again = make(gcv.param_groups(other, scale))
    again.load_state_dict(optimizer.state_dict())
    train(model, 2, lambda _: optimizer)
    train(other, 2, lambda _: again)
    assert bits(model) == bits(other)


def test_a_group_whose_schedule_is_off_changes_nothing():
    model = net()
    before = bits(model)
    groups = [{"params": model.parameters(), "lr": lambda step: float("nan")}]
    with pytest.raises(OptionError, match="group's learning rate of step 0"):
        train(model, 1, lambda _: gcv.SGD(groups, 0.1))
    assert {n for n in changed(before, model) if "running" not in n and "num_" not in n} == set()


PARAMETERS = Linear(2, 2).parameters()


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([{"parameters": PARAMETERS}], "group 0: got parameters; expected a dict of params"),
        ([{"params": PARAMETERS, "momentum": 1}], "group 0: got params, momentum; expected"),
        ([{"params": PARAMETERS}, PARAMETERS[0]], "group 1: got <"),
        ([{"params": 3}], "group 0: params must be parameters, got 3"),
        ([{"params": [3]}], "expected parameters, as net.parameters"),
        ([{"params": PARAMETERS, "lr": -1}], "group 0: lr"),
        ([{"params": PARAMETERS, "lr": "fast"}], "group 0: lr"),
        ([{"params": PARAMETERS, "lr_scale": float("inf")}], "group 0: lr_scale"),
        ([{"params": PARAMETERS, "lr": Plateau(0.1)}], "group 0: a Plateau is for all"),
        ([{"params": PARAMETERS}, {"params": PARAMETERS[:1]}], "group 1 has a parameter that"),
        ({"params": PARAMETERS}, "expected parameters, as net.parameters.. gives; got"),
    ],
)
def test_bad_groups_are_refused(groups, text):
    with pytest.raises(OptionError, match=f"^optimizer: .*{text}"):
        gcv.SGD(groups, 0.1)


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        ({"featurs": 1}, "did you mean 'features'"),
        ("features", "expected a dict of factors"),
    ],
)
def test_names_that_are_not_there_are_refused(scale, text):
    with pytest.raises(OptionError, match=f"^param_groups: .*{text}"):
        gcv.param_groups(net(), scale)
