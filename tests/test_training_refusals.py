"""What training refuses before it changes anything."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv.errors import DataError, OptionError, StateError
from gpuconv.layers import CrossEntropyLoss, Linear

X, LABELS = np.ones((2, 3), "float32"), np.array([0, 1])


def parts(lr=0.1):
    net = gcv.Sequential(Linear(3, 2))
    return net, gcv.SGD(net.parameters(), lr, momentum=0.9)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, "a", None])
def test_a_schedule_that_gives_no_rate(rate):
    net, optimizer = parts(lambda step: rate if step == 1 else 0.1)
    step = gcv.TrainStep(net, CrossEntropyLoss(), optimizer)
    step(X, LABELS)
    before = {n: v.tobytes() for n, v in {**net.state_dict(), **optimizer.state_dict()}.items()}
    with pytest.raises(
        OptionError, match="optimizer: the learning rate of step 1 must be a finite"
    ):
        step(X, LABELS)
    after = {n: v.tobytes() for n, v in {**net.state_dict(), **optimizer.state_dict()}.items()}
    assert after == before


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "expected what state_dict gave, got None"),
        ({"steps": -4}, "steps must be an integer >= 0, got -4"),
        ({"steps": 1.5}, "steps must be an integer, got 1.5"),
        ({"steps": 3, 4: X}, "got a state of 4, steps; expected steps, velocity of SGD"),
        ({"steps": 3, "velocity": None}, "state 'velocity' has shape None, expected"),
    ],
)
def test_a_state_that_is_no_optimisers(state, text):
    _, optimizer = parts()
    with pytest.raises(OptionError, match=text):
        optimizer.load_state_dict(state)
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"net": None}, "TrainStep: expected a net, got None"),
        ({"loss": 5}, "TrainStep: expected a loss, got 5"),
        ({"optimizer": "sgd"}, "TrainStep: expected an optimizer, got 'sgd'"),
        ({"seed": -1}, "Stream: seed must be an integer >= 0, got -1"),
        ({"seed": 1.5}, "Stream: seed must be an integer, got 1.5"),
        ({"seed": 2**64}, "Stream: seed must be in"),
    ],
)
def test_a_trainer_of_what_does_not_train(changes, text):
    net, optimizer = parts()
    with pytest.raises(OptionError, match=text):
        gcv.Trainer(**{"net": net, "optimizer": optimizer, **changes})


@pytest.mark.parametrize("kind", [gcv.SGD, gcv.Adam])
@pytest.mark.parametrize("parameters", [None, 3, [None], "weights"])
def test_an_optimiser_of_what_is_no_parameters(kind, parameters):
    with pytest.raises(
        OptionError, match=r"expected parameters, as net.parameters\(\) gives; got "
    ):
        kind(parameters, 0.1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, r"expected a dataset, as .* or an iterable of \(images, labels\); got None"),
        (3, "expected a dataset, .*; got 3"),
        ([1], r"expected batches of \(images, labels\), got one that is 1"),
        ([(X,)], r"expected batches of \(images, labels\), got one that is \(array"),
        ("batches", "got one that is 'b'"),
        (X, r"got one that is array\(\[1"),
    ],
)
def test_data_that_is_none(data, text):
    net, optimizer = parts()
    with pytest.raises(DataError, match=text):
        gcv.Trainer(net, optimizer).fit(data)
    with pytest.raises(DataError, match=text):
        gcv.evaluate(net, data)
    assert optimizer.steps == 0


def test_an_evaluation_of_what_is_no_net_or_loss():
    net, _ = parts()
    with pytest.raises(OptionError, match="InferenceStep: expected a net, got None"):
        gcv.evaluate(None, [(X, LABELS)])
    with pytest.raises(OptionError, match="evaluate: expected a loss, got 5"):
        gcv.evaluate(net, [(X, LABELS)], loss=5)


@pytest.mark.parametrize("state", [None, [1.0], {3: X}])
def test_a_state_dict_that_is_none(state):
    net, _ = parts()
    with pytest.raises(StateError, match="load_state_dict: expected a dict of arrays by name"):
        net.load_state_dict(state)
