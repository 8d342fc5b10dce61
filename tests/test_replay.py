"""Played passes: the bits of passes that were not, whatever changed in between."""

import threading

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import layers, registry
from gpuconv.cpu.recording import Recording
from gpuconv.errors import DataError
from gpuconv.graph import Sequential
from gpuconv.random import Stream
from gpuconv.training import replay
from gpuconv.training.optimizers import SGD
from gpuconv.training.step import InferenceStep, TrainStep

LABELS = np.arange(6) % 4


def images(number, batch=6):
    return Stream(7, number).normal((batch, 2, 8, 8)).astype(np.float32)


def small_net():
    """Every sort of op that a recording has to do with: in blocks, in rows, drawn, added up."""
    g = gcv.Graph()
    x = g.input()
    x = g.apply(layers.ReLU(), g.apply(layers.Conv2d(2, 12, 3, padding=1), x), name="stem")
    shared = layers.Conv2d(12, 12, 3, padding=1)
    a = g.apply(shared, x)
    x = g.apply(layers.Add(), g.apply(shared, g.apply(layers.Tanh(), a)), x)
    x = g.apply(layers.Dropout(0.3), g.apply(layers.MaxPool2d(2), x))
    x = g.apply(layers.Flatten(), g.apply(layers.PReLU(), x))
    g.apply(layers.Linear(192, 4), x)
    return g.initialize(11)


class Pair:
    """The same training twice: as it comes, and with nothing recorded."""

    def __init__(self, net=small_net):
        self.steps = []
        for _ in range(2):
            made = net()
            optimizer = SGD(made.parameters(), 0.1, momentum=0.9)
            self.steps.append(TrainStep(made, layers.CrossEntropyLoss(), optimizer))
        self.steps[1]._tapes.find = lambda *given: None

    def both(self, change):
        """Do something to either training."""
        for step in self.steps:
            change(step)

    def step(self, number, batch=6):
        """One step; asserts equal bits, gives whether the first was played."""
        x, labels = images(number, batch), np.arange(batch) % 4
        before = played.count
        losses = [step(x, labels) for step in self.steps]
        assert losses[0].tobytes() == losses[1].tobytes()
        assert self.steps[0].prediction.tobytes() == self.steps[1].prediction.tobytes()
        states = [step.net.state_dict() for step in self.steps]
        for name, value in states[0].items():
            assert value.tobytes() == states[1][name].tobytes(), name
        for one, other in zip(*(step.net.parameters() for step in self.steps), strict=True):
            assert (one.grad is None) == (other.grad is None)
            assert one.grad is None or one.grad.tobytes() == other.grad.tobytes()
        return played.count > before


class played:
    """Counts what is played."""

    count = 0


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    real = Recording.play

    def play(self, *given):
        played.count += 1
        real(self, *given)

    monkeypatch.setattr(Recording, "play", play)


def test_the_third_step_of_a_kind_is_played():
    pair = Pair()
    assert [pair.step(n) for n in range(5)] == [False, False, True, True, True]


def test_batches_of_two_sizes_are_two_kinds():
    pair = Pair()
    assert [pair.step(n, batch=6 - n % 2) for n in range(8)] == [False] * 4 + [True] * 4


def test_of_many_kinds_the_last_are_kept():
    pair = Pair()
    for batch in range(1, 9):
        pair.step(batch, batch)
    assert len(pair.steps[0]._tapes._known) == replay.KEPT


CHANGES = {
    "an option": lambda step: step.net.nodes[2].layer.algorithm.update(conv2d="numpy"),
    "a frozen weight": lambda step: setattr(step.net.parameters()[0], "trainable", False),
    "another rate": lambda step: setattr(step.optimizer, "base_lr", 0.01),
    "another seed": lambda step: setattr(step, "seed", 12345),
    "other values": lambda step: step.net.initialize(99),
    "a value that is another array": lambda step: setattr(
        step.net.parameters()[0], "value", step.net.parameters()[0].value.copy() + 1
    ),
    "loaded values": lambda step: step.net.load_state_dict(
        {name: value * 0.5 for name, value in step.net.state_dict().items()}
    ),
    "another layer": lambda step: step.net.apply(
        layers.Tanh(), gcv.nodes.Handle(step.net, step.net.nodes[-1].name)
    ),
    "another dropout": lambda step: setattr(step.net.nodes[6].layer, "p", 0.6),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_changes_between_steps_is_seen(change):
    pair = Pair()
    assert [pair.step(n) for n in range(3)][-1]
    pair.both(change)
    for n in range(3, 7):
        pair.step(n)


def test_limits_are_obeyed_and_recorded_apart():
    pair = Pair()
    for n in range(3):
        pair.step(n)
    with gcv.limits(plan={"conv2d": "numpy"}):
        assert [pair.step(n) for n in range(3, 6)] == [False, False, True]
    assert pair.step(6)


def test_a_kernel_that_is_registered_later_is_taken(monkeypatch):
    pair = Pair()
    for n in range(3):
        pair.step(n)
    op = registry.get_op("tanh")
    monkeypatch.setattr(op, "_kernels", op.kernels())
    calls = []

    @op.kernel("planted", backend="numba", cost=lambda problem, device: 0.0)
    def run(outs, ins, problem, work):
        calls.append(problem)
        outs[0][...] = 7

    for n in range(3, 6):
        calls.clear()
        pair.step(n)
        assert len(calls) == 2
    registry._CHOSEN.clear()
    registry._LATER.append(None)


def test_a_loss_that_raises_spoils_nothing():
    pair = Pair()
    for n in range(5):
        with pytest.raises(DataError):
            pair.steps[0](images(n), LABELS + 7)
        pair.step(n)


def test_a_gradient_of_another_kind_is_taken():
    pair = Pair()

    class Halved(layers.CrossEntropyLoss):
        kind = "float32"

        def gradient(self, dloss, prediction, target):
            dy = super().gradient(dloss, prediction, target)
            return np.asfortranarray(dy).astype(self.kind)

    pair.both(lambda step: setattr(step, "loss", Halved()))
    assert [pair.step(n) for n in range(4)][-1]


class Mine(layers.ReLU):
    """A layer of a user's, who computes in Python."""

    def apply(self, x):
        return np.maximum(gcv.ops.relu(x), 0.1)


def patched():
    net = Sequential(layers.Flatten(), layers.Linear(128, 4), layers.ReLU()).initialize(2)
    net[2].apply = lambda x: np.maximum(x, 0.1)
    return net


class Own(layers.Conv2d):
    """A convolution of a user's, whose weights are made anew in every pass."""

    def _weight(self):
        return self.weight.value * 2


class Net(Sequential):
    """A net of a user's, who only puts it together."""

    def __init__(self):
        super().__init__(layers.Flatten(), layers.ReLU(), layers.Linear(128, 4))


def test_a_net_that_is_only_put_together_is_recorded():
    pair = Pair(lambda: Net().initialize(2))
    assert [pair.step(n) for n in range(3)][-1]


def test_running_statistics_are_counted_when_they_are_played():
    pair = Pair(
        lambda: Sequential(
            layers.BatchNorm2d(2), layers.Flatten(), layers.Linear(128, 4)
        ).initialize(2)
    )
    assert [pair.step(n) for n in range(4)][-1]
    norms = [step.net[0] for step in pair.steps]
    assert norms[0].num_batches_tracked.value == 4
    assert len({norm.running_mean.version for norm in norms}) == 1
    infer = InferenceStep(pair.steps[0].net)
    for n in range(4):
        infer(images(n))
    pair.step(4)
    np.testing.assert_allclose(infer(images(5)), pair.steps[0].net(images(5)), rtol=1e-4)


OWN = {
    "a class": lambda: Sequential(layers.Flatten(), Mine(), layers.Linear(128, 4)).initialize(2),
    "weights": lambda: Sequential(Own(2, 3, 8), layers.Flatten(), layers.Linear(3, 4)).initialize(
        2
    ),
    "an object": patched,
}


@pytest.mark.parametrize("net", OWN.values(), ids=OWN.keys())
def test_what_does_more_than_call_ops_is_not_recorded(net):
    pair = Pair(net)
    assert not any(pair.step(n) for n in range(4))
    assert pair.steps[0]._tapes._known == {}


def test_gradients_that_are_not_the_optimisers_are_not_recorded():
    net = small_net()
    step = TrainStep(net, layers.CrossEntropyLoss(), SGD(net.parameters()[:2], 0.1))
    for n in range(4):
        step(images(n), LABELS)
    assert step._tapes._known == {}


def test_predictions_stay_as_they_were():
    step = InferenceStep(small_net())
    given = [images(n) for n in range(6)]
    before, made = played.count, [step(x) for x in given]
    assert played.count > before
    for x, y in zip(given, made, strict=True):
        np.testing.assert_array_equal(y, step.net(x))


def test_inference_sees_new_weights():
    net = small_net()
    step = InferenceStep(net)
    for n in range(4):
        step(images(n))
    net.load_state_dict({name: value * 0.5 for name, value in net.state_dict().items()})
    for n in range(4):
        np.testing.assert_array_equal(step(images(n)), net(images(n)))


def test_several_threads_may_infer_at_once():
    step, wrong = InferenceStep(small_net()), []
    given = [images(n) for n in range(8)]
    want = [step.net(x) for x in given]

    def work():
        for _ in range(30):
            wrong.extend(
                n
                for n, (x, y) in enumerate(zip(given, want, strict=True))
                if not np.array_equal(step(x), y)
            )

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
