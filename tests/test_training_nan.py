"""A loss that is not finite stops training, says where, and leaves the last good state."""

import re
from itertools import islice
from math import inf

import numpy as np
import pytest
from test_training import assert_same, batches, stripes

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import NonFiniteLossError
from gpuconv.random import Stream


def pixels(count):
    """The batches of the other tests as images of one pixel."""
    return [(x[:, :, None, None].copy(), t) for x, t in batches(count)]


def breaks_after(step):
    """A schedule whose update of that step, counted from 1, ruins the net."""
    return lambda taken: 1e38 if taken == step - 1 else 0.05


def make(lr, **options):
    """A net with batch statistics and its trainer, the same each time."""
    head = [layers.Conv2d(3, 4, 1), layers.BatchNorm2d(4), layers.ReLU(), layers.Flatten()]
    net = gcv.Sequential(*head, layers.Linear(4, 2)).initialize(2)
    return net, gcv.Trainer(net, gcv.Adam(net.parameters(), lr=lr), **options)


def caught(teacher, data, **options):
    """The step that is named and the step that the net was set back to."""
    with pytest.raises(NonFiniteLossError) as error:
        teacher.fit(data, **options)
    found = re.fullmatch(
        r"training: the loss is (?:nan|inf) at step (\d+) \(epoch (\d+)\); the net was set back to "
        r"its state after step (\d+)\. Try a lower learning rate \(\S+ there\), .*clip_norm",
        str(error.value),
    )
    assert found, error.value
    return tuple(map(int, found.groups()))


@pytest.mark.parametrize("read_every", [1, 3, 4, 100])
@pytest.mark.parametrize("broken", [1, 2, 3, 4, 8])
def test_the_net_is_that_of_a_run_stopped_at_the_last_good_state(read_every, broken):
    net, teacher = make(breaks_after(broken), read_every=read_every)
    named, epoch, back = caught(teacher, pixels(12))
    assert (named, epoch) == (broken + 1, 1)
    window = broken // read_every * read_every  # the steps before the window that broke
    assert back == (window if broken > window else max(window - read_every, 0))
    twin, other = make(breaks_after(broken))
    if back:
        other.fit(islice(pixels(12), back))
    assert_same(net, twin)
    assert teacher.step.steps == other.step.steps == back
    mine, theirs = teacher.optimizer.state_dict(), other.optimizer.state_dict()
    assert all((mine[name] == values).all() for name, values in theirs.items())
    assert all(not mine[name].any() for name in set(mine) - set(theirs))


def test_the_loss_at_the_state_that_is_kept_is_finite():
    for broken in range(1, 9):
        net, teacher = make(breaks_after(broken), read_every=3)
        caught(teacher, pixels(12))
        assert np.isfinite(gcv.evaluate(net, pixels(12)).loss)


@pytest.mark.parametrize("bad", [np.nan, inf])
def test_bad_data_in_the_first_step_of_all(bad):
    data = pixels(5)
    data[0][0][3, 1] = bad
    net, teacher = make(0.05)
    before = {name: value.copy() for name, value in net.state_dict().items()}
    assert caught(teacher, data) == (1, 1, 0)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert "1.running_mean" in before


def test_bad_data_in_a_later_epoch():
    good, bad = pixels(5), pixels(5)
    bad[1][0][...] = np.nan
    net, teacher = make(0.05, read_every=3)

    class Epochs:
        def set_epoch(self, epoch):
            self.batches = bad if epoch == 2 else good

        def __iter__(self):
            return iter(self.batches)

    assert caught(teacher, Epochs(), epochs=4) == (12, 3, 10)
    twin, other = make(0.05, read_every=3)
    other.fit(good, epochs=2)
    assert_same(net, twin)


def test_a_first_bad_step_goes_back_to_the_start_of_the_same_call():
    net, teacher = make(0.05)
    teacher.fit(pixels(5))
    net.load_state_dict({name: np.asarray(value + 1) for name, value in net.state_dict().items()})
    loaded = {name: value.copy() for name, value in net.state_dict().items()}
    data = pixels(1)
    data[0][0][...] = np.nan
    assert caught(teacher, data) == (6, 2, 5)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, loaded[name])


def test_callbacks_hear_nothing_of_the_window_that_broke():
    told = []
    _, teacher = make(breaks_after(5), read_every=4, callbacks=[told.append])
    caught(teacher, pixels(12))
    assert [(state.event, state.step) for state in told] == [("step", 4)]
    assert np.isfinite(told[0].losses).all()


def test_the_error_carries_the_finite_losses_of_the_window_that_broke():
    told = []
    _, teacher = make(breaks_after(6), read_every=4, callbacks=[told.append])
    with pytest.raises(NonFiniteLossError) as error:
        teacher.fit(pixels(12))
    _, other = make(0.05, read_every=1, callbacks=[told.append])
    other.fit(islice(pixels(12), 6))
    losses = {state.step: state.loss for state in told[1:] if state.event == "step"}
    assert error.value.finite == ((5, losses[5]), (6, losses[6]))
    assert error.value.epoch == 1


def test_training_goes_on_from_the_good_state():
    net, teacher = make(breaks_after(5))
    caught(teacher, pixels(12))
    teacher.optimizer.base_lr = 0.05
    before = teacher.evaluate(pixels(12)).loss
    teacher.fit(pixels(12), epochs=5)
    assert teacher.evaluate(pixels(12)).loss < before
    assert all(np.isfinite(value).all() for value in net.state_dict().values())


def test_a_learning_rate_that_is_too_high():
    net = gcv.models.create("lenet5", num_classes=2)
    teacher = gcv.Trainer(net, gcv.SGD(net.parameters(), lr=1e20, momentum=0.9))
    assert caught(teacher, stripes(), batch_size=8) == (2, 1, 0)
    assert_same(net, gcv.models.create("lenet5", num_classes=2))


def test_dropout_streams_follow_the_step_that_was_set_back():
    def drilled(lr):
        net = gcv.Sequential(layers.Linear(3, 8), layers.Dropout(0.5), layers.Linear(8, 2))
        return net.initialize(0), gcv.Trainer(net, gcv.SGD(net.parameters(), lr), read_every=2)

    net, teacher = drilled(breaks_after(5))
    caught(teacher, batches(12))
    assert teacher.step.steps == 4
    teacher.optimizer.base_lr = 0.05
    teacher.fit(batches(12)[4:8])
    twin, other = drilled(0.05)
    other.fit(batches(8))
    assert_same(net, twin)
    assert Stream(0, 4).words(4).tolist() != Stream(0, 5).words(4).tolist()
