"""Trainings that go nowhere are told: the layer, what is seen, what to try; sound ones are not."""

import logging

import pytest

import gpuconv as gcv
from gpuconv.errors import OptionError
from gpuconv.layers import Conv2d, Flatten, Linear, MaxPool2d, MSELoss, ReLU
from gpuconv.layers.init import Constant, Normal
from gpuconv.training import early
from gpuconv.training.health import Watch

DIGITS = gcv.data.mnist("train")
FEW = gcv.data.ArrayDataset("few", DIGITS.images[:160], DIGITS.labels[:160], DIGITS.classes)


def told(*layers, lr: float = 0.05, steps: int = 20, **options) -> list:
    """What is told of ``steps`` steps of eight digits, looked at after 5, 10 and 20."""
    found: list = []
    net = gcv.Sequential(*layers)
    watch = Watch(found.append, first=5)
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), lr), callbacks=[watch], **options)
    teacher.fit(FEW, 3, 8, max_steps=steps)
    return found


def test_a_loss_at_chance_is_told_once():
    (finding,) = told(Flatten(), Linear(784, 10, weight_init=Normal(1e-6)), lr=1e-8)
    assert finding.layer == ""
    assert finding.seen.startswith("after 10 steps the loss is 2.30")
    assert "guesses among 10 classes (ln 10 = 2.3026" in finding.seen
    assert "learning rate ten times lower" in str(finding)


def test_a_loss_at_chance_is_not_told_before_its_time():
    assert told(Flatten(), Linear(784, 10, weight_init=Normal(1e-6)), lr=1e-8, steps=9) == []


def test_dead_rectifiers_are_told_with_their_layer():
    hidden = Linear(784, 16, bias_init=Constant(-1e4))
    found = told(Flatten(), hidden, ReLU(), Linear(16, 10))
    dead = next(each for each in found if "rectifiers" in each.seen)
    assert dead.layer == "1"
    assert dead.seen.startswith("16 of 16 units had no gradient in step 10: the rectifiers")
    assert [each.layer for each in found].count("1") == 1


def test_a_gradient_that_vanishes_is_told():
    deep = [layer for _ in range(3) for layer in (Linear(32, 32, weight_init=Normal(1e-3)), ReLU())]
    found = told(Flatten(), Linear(784, 32), ReLU(), *deep, Linear(32, 10), lr=1e-3)
    lost = [each.layer for each in found if each.seen.endswith("it vanishes")]
    assert "1" in lost


def test_a_training_whose_rate_is_nothing_is_told():
    (finding,) = told(Flatten(), Linear(784, 10), lr=1e-12)
    assert "less than float32 holds" in finding.seen
    assert finding.advice.startswith("a higher learning rate")


def test_a_step_that_explodes_is_told():
    found = told(Flatten(), Linear(784, 10, weight_init=Normal(1e-3)), lr=0.4, steps=5)
    assert [(each.layer, "explodes" in each.seen) for each in found] == [("1", True)]
    assert "--clip-norm" in found[0].advice


def test_gradients_that_are_not_kept_are_asked_for(monkeypatch):
    monkeypatch.setattr(early, "LARGE", 1000)
    with gcv.limits(plan=dict.fromkeys(("linear", "linear_weight", "linear_sgd", "sgd"), "numba")):
        found, tiny = [], Linear(784, 10, weight_init=Normal(1e-3))
        net = gcv.Sequential(Flatten(), tiny)
        teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 1e-12), read_every=1)
        teacher.callbacks += [lambda state: kept.append(tiny.weight.grad is not None)]
        teacher.callbacks += [Watch(found.append, first=3)]
        kept: list[bool] = []
        teacher.fit(FEW, 1, 8, max_steps=6)
    assert kept == [False, False, False, True, False, False, False]
    assert [each.layer for each in found] == ["1"]


def test_a_training_that_learns_is_left_in_peace():
    net = [Conv2d(1, 4, 5), ReLU(), MaxPool2d(2), Flatten(), Linear(576, 10)]
    assert told(*net, steps=40) == []


def test_another_loss_has_no_chance(caplog):
    net = gcv.Sequential(Flatten(), Linear(784, 10, weight_init=Normal(1e-6)))
    batch = (DIGITS.images[:8].transpose(0, 3, 1, 2).astype("f4"), Normal(1.5).draw((8, 10), _S))
    watch = Watch(first=1)
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 1e-8), MSELoss(), callbacks=[watch])
    teacher.fit([(batch[0], batch[1].astype("f4"))] * 4)
    assert caplog.records == []


_S = gcv.random.Stream(0)


def test_without_a_listener_it_is_logged(caplog):
    net = gcv.Sequential(Flatten(), Linear(784, 10, bias_init=Constant(float(2**20))))
    for parameter in net.parameters():
        parameter.value = parameter.value * 0
    with caplog.at_level(logging.WARNING, logger="gpuconv"):
        teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 0.0), callbacks=[Watch(first=1)])
        teacher.fit(FEW, 1, 8)
    assert "the loss is 2.3026" in caplog.text
    with pytest.raises(OptionError, match="Watch: first"):
        Watch(first=0)
