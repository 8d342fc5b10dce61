"""Trainer, TrainStep, InferenceStep, evaluate: what is learned, told and refused."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import DataError, OptionError
from gpuconv.random import Stream
from gpuconv.training.evaluate import hits


def stripes(count=60):
    """Images 6 x 6 with stripes along one axis or the other, noise over them."""
    labels = np.arange(count) % 2
    lines = np.tile(np.array([200, 40], np.uint8), 3)
    pictures = np.where(labels[:, None, None] == 0, lines[:, None], lines[None, :])
    noise = (Stream(9).words(pictures.size) % 30).astype(np.uint8).reshape(pictures.shape)
    return gcv.data.ArrayDataset("stripes", (pictures + noise)[..., None], labels, ["a", "b"])


def small_net(seed=0):
    return gcv.Sequential(
        layers.Conv2d(1, 4, 3), layers.ReLU(), layers.Flatten(), layers.Linear(64, 2)
    ).initialize(seed)


def batches(count, size=8, seed=0):
    """Images (N, 3) and classes that a linear net can tell apart."""
    made = []
    for number in range(count):
        x = Stream(seed, number).normal((size, 3)).astype(np.float32)
        made.append((x, (x.sum(1) > 0).astype(np.int64)))
    return made


def trainer(net, lr=0.1, **options):
    return gcv.Trainer(net, gcv.SGD(net.parameters(), lr=lr, momentum=0.9), **options)


def assert_same(net, other):
    """Every bit of two nets."""
    mine, theirs = net.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    for name, value in mine.items():
        assert value.tobytes() == theirs[name].tobytes(), name


def test_fit_lowers_the_loss_and_evaluate_says_so():
    net, data = small_net(), stripes()
    teacher = trainer(net)
    before = teacher.evaluate(data)
    assert teacher.fit(data, epochs=4, batch_size=16) is teacher
    after = teacher.evaluate(data)
    assert after.loss < 0.2 * before.loss
    assert after.accuracy == 1.0
    assert (before.images, after.images) == (60, 60)
    assert teacher.step.steps == teacher.optimizer.steps == 16


def drilled(seed):
    net = gcv.models.create("lenet5", dropout=0.3, seed=seed)
    data = gcv.data.mnist("train")
    few = gcv.data.ArrayDataset("few", data.images[:100], data.labels[:100], data.classes)
    told = []
    teacher = trainer(net, lr=0.01, seed=seed, callbacks=[told.append])
    teacher.fit(few, epochs=2, batch_size=32, augment=gcv.data.random_shift(2))
    return net, told[-1].losses


def test_the_same_seed_gives_the_same_bits():
    (first, losses), (second, again), (other, elsewhere) = drilled(5), drilled(5), drilled(6)
    assert_same(first, second)
    assert losses == again
    assert all(np.isfinite(losses))
    assert set(losses).isdisjoint(elsewhere)
    theirs = other.state_dict()
    assert all((value != theirs[name]).any() for name, value in first.state_dict().items())


def test_callbacks_see_every_step_once():
    told = []
    teacher = trainer(
        gcv.Sequential(layers.Linear(3, 2)), lr=0.05, read_every=4, callbacks=[told.append]
    )
    teacher.fit(batches(10), epochs=2)
    kinds = [(state.event, state.epoch, state.step, len(state.losses)) for state in told]
    assert kinds == [
        ("step", 1, 4, 4),
        ("step", 1, 8, 4),
        ("step", 1, 10, 2),
        ("epoch", 1, 10, 10),
        ("step", 2, 14, 4),
        ("step", 2, 18, 4),
        ("step", 2, 20, 2),
        ("epoch", 2, 20, 10),
    ]
    steps = [loss for state in told if state.event == "step" for loss in state.losses]
    epochs = [loss for state in told if state.event == "epoch" for loss in state.losses]
    assert steps == epochs
    for state in told:
        assert state.trainer is teacher
        assert state.loss == pytest.approx(np.mean(state.losses))
        assert (state.lr, state.images_per_s > 0) == (0.05, True)


@pytest.mark.parametrize("read_every", [1, 3, 50])
def test_how_often_the_loss_is_read_changes_no_bit(read_every):
    net, usual = small_net(), small_net()
    told = []
    trainer(net, read_every=read_every, callbacks=[told.append]).fit(stripes(), 2, 16)
    trainer(usual).fit(stripes(), 2, 16)
    assert_same(net, usual)
    assert told[-1].step == 8


def test_the_accuracy_of_a_state_is_that_of_the_predictions_made():
    data, seen, told = batches(3), [], []
    net = gcv.Sequential(layers.Linear(3, 2))

    def watched():
        for images, labels in data:
            seen.append(net(images).argmax(1) == labels)
            yield images, labels

    trainer(net, callbacks=[told.append]).fit(watched())
    assert told[-1].accuracy == np.mean(seen)
    assert 0 < told[-1].accuracy < 1


def test_max_steps_counts_the_steps_of_one_call():
    told = []
    teacher = trainer(small_net(), read_every=4, callbacks=[told.append])
    for expected in (6, 12):
        teacher.fit(stripes(), epochs=9, batch_size=16, max_steps=6)
        assert teacher.step.steps == expected
    teacher.fit(stripes(), epochs=2, batch_size=16)
    assert teacher.step.steps == 20
    ends = [state.step for state in told if state.event == "epoch"]
    assert ends == [4, 6, 10, 12, 16, 20]


def test_a_callback_can_end_the_training():
    told = []

    def enough(state):
        told.append((state.event, state.step))
        state.trainer.stop = state.step >= 5

    teacher = trainer(small_net(), read_every=1, callbacks=[enough]).fit(stripes(), 9, 16)
    assert told[-2:] == [("step", 5), ("epoch", 5)]
    assert teacher.step.steps == 5


def test_stop_is_heard_in_the_middle_of_a_window_and_only_once():
    told = []
    teacher = trainer(gcv.Sequential(layers.Linear(3, 2)), read_every=10, callbacks=[told.append])

    def interrupted():
        for number, batch in enumerate(batches(6)):
            teacher.stop |= number == 2
            yield batch

    teacher.fit(interrupted(), epochs=3)
    assert [(s.event, s.step, len(s.losses)) for s in told] == [("step", 3, 3), ("epoch", 3, 3)]
    teacher.fit(batches(6))
    assert teacher.step.steps == 9


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: t.fit([]), DataError, "fit: the data gave no batch"),
        (lambda t: t.fit(iter(batches(2)), epochs=2), DataError, "gave no batch"),
        (lambda t: t.fit(batches(2), epochs=0), OptionError, "fit: epochs"),
        (lambda t: t.fit(batches(2), max_steps=0), OptionError, "fit: max_steps"),
        (lambda t: t.fit(stripes(), batch_size=0), OptionError, "batch_size"),
        (lambda t: t.evaluate([]), DataError, "evaluate: there are no images"),
        (lambda t: trainer(t.net, read_every=0), OptionError, "read_every"),
    ],
)
def test_bad_calls_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call(trainer(gcv.Sequential(layers.Linear(3, 2))))


def test_label_smoothing_is_in_the_loss_that_is_told():
    net, ((x, t),), told = gcv.Sequential(layers.Linear(3, 2)), batches(1), []
    logits = net(x).astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -(0.9 * logs[np.arange(len(t)), t] + 0.1 * logs.mean(1)).mean()
    teacher = trainer(net, loss=gcv.CrossEntropyLoss(label_smoothing=0.1), callbacks=[told.append])
    assert teacher.evaluate([(x, t)]).loss == pytest.approx(expected, rel=1e-6)
    teacher.fit([(x, t)])
    assert told[0].loss == pytest.approx(expected, rel=1e-6)


def test_a_regression_has_a_loss_and_no_accuracy():
    x = Stream(0).normal((40, 3)).astype(np.float32)
    pairs = [(x, np.stack([x[:, 0] - x[:, 1], 2 * x[:, 2]], axis=1))] * 30
    net, told = gcv.Sequential(layers.Linear(3, 2)), []
    teacher = trainer(net, loss=gcv.MSELoss(), callbacks=[told.append]).fit(pairs, 4)
    assert told[-1].losses[-1] < 1e-3 < told[0].losses[0]
    assert {state.accuracy for state in told} == {0.0}
    found = teacher.evaluate(pairs[:1])
    assert (found.accuracy, found.images) == (0.0, 40)
    assert found.loss < 1e-3


def test_logits_of_every_pixel():
    x = Stream(0).normal((6, 1, 5, 5)).astype(np.float32)
    pairs = [(x, (x[:, 0] > 0).astype(np.int64))] * 40
    net, told = gcv.Sequential(layers.Conv2d(1, 2, 1)), []
    teacher = trainer(net, lr=1.0, callbacks=[told.append]).fit(pairs)
    assert told[-1].losses[-1] < 0.2
    found = teacher.evaluate(pairs[:1])
    assert found.accuracy == (net(x).argmax(1) == pairs[0][1]).mean() > 0.9
    assert found.images == 6
    assert 0.5 < told[0].accuracy <= 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([1, 0, 1]), (2, 3)),
        (np.array([1.0, 0.0, 1.0]), (0, 0)),
        (np.array([[1, 0], [0, 1], [1, 0]]), (0, 0)),
    ],
)
def test_only_class_numbers_are_hit(labels, expected):
    prediction = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]], np.float32)
    assert hits(prediction, labels) == expected
    assert hits(prediction[:, 0], labels) == (0, 0)


def test_evaluate_weighs_batches_by_their_images():
    data, net, heard = stripes(10), small_net(), []
    whole = gcv.evaluate(net, data, batch_size=10)
    parts = gcv.evaluate(net, data, batch_size=4, progress=heard.append)
    assert heard == [4, 4, 2]
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert (parts.accuracy, parts.images) == (whole.accuracy, 10)


def test_evaluate_uses_running_statistics_and_changes_nothing():
    net = gcv.Sequential(
        layers.Conv2d(1, 3, 3),
        layers.BatchNorm2d(3),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Linear(48, 2),
    )
    before = {name: value.copy() for name, value in net.state_dict().items()}
    first = gcv.evaluate(net, stripes())
    assert gcv.evaluate(net, stripes(), batch_size=7).accuracy == first.accuracy
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_train_step_is_forward_loss_backward_update():
    (x, t), net, twin = batches(1)[0], small_flat(), small_flat()
    step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), gcv.SGD(net.parameters(), 0.1), seed=4)
    criterion, optimizer = gcv.CrossEntropyLoss(), gcv.SGD(twin.parameters(), 0.1)
    for number in range(3):
        loss = step(x, t)
        y, saved = twin.forward(x, train=True, rng=Stream(4, number))
        value, kept = criterion.forward(y, t, train=True)
        optimizer.zero_grad()
        twin.backward(criterion.backward(1.0, kept)[0], saved, need_dx=False)
        optimizer.step()
        assert (loss.shape, step.steps) == ((), number + 1)
        assert loss.tobytes() == value.tobytes()
        assert step.prediction.tobytes() == y.tobytes()
    assert_same(net, twin)


def small_flat():
    hidden = [layers.Linear(3, 8), layers.ReLU(), layers.Dropout(0.5)]
    return gcv.Sequential(*hidden, layers.Linear(8, 2)).initialize(1)


def test_an_inference_step_follows_the_net():
    net = small_flat()
    step, (x, t) = gcv.InferenceStep(net), batches(1)[0]
    first = step(x)
    assert first.tobytes() == net(x).tobytes() == step(x).tobytes()
    trainer(net).fit([(x, t)])
    assert step(x).tobytes() == net(x).tobytes() != first.tobytes()
    assert gcv.InferenceStep(gcv.Sequential(layers.ReLU()))(x).min() == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_in_either_precision(dtype):
    net = gcv.Sequential(layers.Linear(3, 2)).astype(dtype)
    told = []
    data = [(x.astype(dtype), t) for x, t in batches(12)]
    trainer(net, callbacks=[told.append]).fit(data, 3)
    assert told[-1].losses[-1] < told[0].losses[0]
    assert {value.dtype for value in net.state_dict().values()} == {np.dtype(dtype)}
