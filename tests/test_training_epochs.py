"""Epochs go on from one call of fit to the next."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv.layers import Flatten, Linear
from gpuconv.training import waiting

DIGITS = gcv.data.mnist("fit")
FEW = gcv.data.ArrayDataset("few", DIGITS.images[:40], DIGITS.labels[:40], DIGITS.classes)


def trained(*calls: int, **options: object) -> tuple[bytes, list[int]]:
    """The weights after calls of fit with so many epochs each, and the epochs that were told."""
    told = []
    net = gcv.Sequential(Flatten(), Linear(784, 10))
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 0.1), callbacks=[told.append])
    for epochs in calls:
        teacher.fit(FEW, epochs, batch_size=16, **options)
    return net[1].weight.value.tobytes(), [s.epoch for s in told if s.event == "epoch"]


@pytest.mark.parametrize("augment", [None, gcv.data.random_shift(2)])
def test_calls_of_one_epoch_are_a_call_of_several(augment):
    assert trained(1, 1, 1, augment=augment) == trained(3, augment=augment)
    assert trained(1, 2, augment=augment)[1] == [1, 2, 3]


def test_every_epoch_has_an_order_of_its_own():
    seen = []

    class Watched:
        classes = FEW.classes

        def __len__(self):
            return len(FEW)

        def __getitem__(self, index):
            seen.append(index)
            return FEW[index]

    net = gcv.Sequential(Flatten(), Linear(784, 10))
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 0.1))
    orders = set()
    for epochs in (2, 1):
        seen.clear()
        teacher.fit(Watched(), epochs)
        passes = np.reshape(seen[-epochs * len(FEW) :], (epochs, len(FEW)))  # less a first look
        orders.update(map(tuple, passes.tolist()))
    assert len(orders) == 3


def test_the_rate_that_is_told_is_that_of_the_last_step():
    told = []
    net = gcv.Sequential(Flatten(), Linear(784, 10))
    optimizer = gcv.SGD(net.parameters(), lambda step: 0.1 / (step + 1))
    assert optimizer.last_lr is None
    gcv.Trainer(net, optimizer, read_every=2, callbacks=[told.append]).fit(FEW, 2, batch_size=16)
    assert [(s.event, s.step, s.lr) for s in told] == [
        *(("step", 2, 0.1 / 2), ("step", 3, 0.1 / 3), ("epoch", 3, 0.1 / 3)),
        *(("step", 5, 0.1 / 5), ("step", 6, 0.1 / 6), ("epoch", 6, 0.1 / 6)),
    ]
    assert (optimizer.last_lr, optimizer.lr) == (0.1 / 6, 0.1 / 7)


def test_an_augmentation_is_applied():
    assert trained(1, augment=gcv.data.random_shift(2))[0] != trained(1)[0]


def test_an_epoch_that_was_cut_short_counts():
    assert trained(1, 1, max_steps=2)[1] == [1, 2]


def test_a_list_of_batches_has_no_order_to_change():
    images, labels = np.ones((2, 1, 28, 28), "float32"), np.array([0, 1])
    net = gcv.Sequential(Flatten(), Linear(784, 10))
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), 0.1))
    teacher.fit([(images, labels)], 2).fit([(images, labels)])
    assert (teacher.epochs, teacher.step.steps) == (3, 3)


def test_waiting_for_data_is_measured(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 13.0, 20.0, 20.5])
    monkeypatch.setattr(waiting, "perf_counter", lambda: next(clock))
    watch = waiting.Waiting()
    seen = [(item, watch.taken()) for item in watch.over("ab")]
    assert seen == [("a", 2.0), ("b", 3.0)]
    assert watch.taken() == 0.5
