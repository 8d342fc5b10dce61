"""Flat parameters follow their net; state goes on bit for bit; the steps as objects."""

import numpy as np
import pytest

from gpuconv.errors import OptionError
from gpuconv.graph import Sequential
from gpuconv.layers import BatchNorm2d, Conv2d, CrossEntropyLoss, Dropout, Flatten, Linear, ReLU
from gpuconv.random import Stream
from gpuconv.training.optimizers import SGD, Adam
from gpuconv.training.schedules import cosine
from gpuconv.training.step import InferenceStep, TrainStep

X = Stream(1).normal((6, 1, 5, 5)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])
OPTIMIZERS = {
    "sgd": lambda p: SGD(p, cosine(0.1, 20), 0.9, 1e-3),
    "adam": lambda p: Adam(p, 0.01),
}
optimizers = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def net():
    stem = Conv2d(1, 2, 3, bias=False), BatchNorm2d(2), ReLU()
    return Sequential(*stem, Flatten(), Dropout(0.2), Linear(18, 3))


def trained(make, steps, model=None, optimizer=None):
    model = model or net()
    step = TrainStep(model, CrossEntropyLoss(), optimizer or make(model.parameters()), seed=4)
    losses = [float(step(X.astype(step.optimizer.arena.dtype), LABELS)) for _ in range(steps)]
    return model, step.optimizer, losses


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def plain_step(model, optimizer):
    """One step by hand, without TrainStep."""
    optimizer.zero_grad()
    rng = Stream(4, optimizer.steps)
    x = X.astype(model[0].weight.value.dtype)
    y, saved = model.forward(x, train=True, rng=rng)
    _, kept = CrossEntropyLoss().forward(y, LABELS, train=True)
    model.backward(CrossEntropyLoss().backward(1.0, kept)[0], saved, need_dx=False)
    optimizer.step()


# The arena


def test_values_and_gradients_are_views_of_flat_arrays():
    model, optimizer, _ = trained(OPTIMIZERS["sgd"], 1)
    arena = optimizer.arena
    assert arena.value.shape == arena.gradient.shape == (sum(p.size for p in model.parameters()),)
    for parameter in model.parameters():
        assert np.shares_memory(parameter.value, arena.value)
        assert np.shares_memory(parameter.grad, arena.gradient)


def test_making_an_optimizer_changes_no_value_and_keeps_gradients():
    model = net()
    before = bits(model)
    gradient = np.ones_like(model[0].weight.value)
    model[0].weight.add_grad(gradient)
    OPTIMIZERS["sgd"](model.parameters())
    assert bits(model) == before
    np.testing.assert_array_equal(model[0].weight.grad, gradient)
    assert model[1].bias.grad is None


MOVES = {
    "to": lambda model: model.to("cpu"),
    "auto": lambda model: model.to("auto"),
    "astype": lambda model: model.astype("float32"),
    "load": lambda model: model.load_state_dict(dict(model.state_dict())),
    "assign": lambda model: setattr(model[0].weight, "value", model[0].weight.value.copy()),
}


@optimizers
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_training_goes_on_after_the_net_was_moved(make, move):
    model, optimizer, _ = trained(make, 2)
    move(model)
    plain_step(model, optimizer)
    straight, other, _ = trained(make, 2)
    plain_step(straight, other)
    assert bits(model) == bits(straight)


@optimizers
def test_the_arena_follows_a_change_of_dtype(make):
    model, optimizer, _ = trained(make, 2)
    model.astype("float64")
    plain_step(model, optimizer)
    assert optimizer.arena.dtype == "float64"
    assert {p.value.dtype.name for p in model.parameters()} == {"float64"}
    straight, other, _ = trained(make, 2)
    plain_step(straight, other)
    for wide, narrow in zip(model.parameters(), straight.parameters(), strict=True):
        np.testing.assert_allclose(wide.value, narrow.value, rtol=1e-3, atol=1e-4)


def test_a_gradient_assigned_by_hand_is_used():
    model = Sequential(Linear(2, 1, bias=False))
    weight = model[0].weight
    optimizer = SGD([weight], 0.5)
    before = weight.value.copy()
    weight.grad = np.ones((1, 2), "float32")
    optimizer.step()
    np.testing.assert_allclose(weight.value, before - 0.5)


def test_initialize_after_an_optimizer_was_made():
    model = net()
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    model.initialize(9)
    trained(None, 1, model, optimizer)
    straight, _, _ = trained(OPTIMIZERS["sgd"], 1, net().initialize(9))
    assert bits(model) == bits(straight)


# State


@optimizers
def test_a_restored_state_goes_on_bit_for_bit(make):
    model, optimizer, _ = trained(make, 3)
    values = {name: array.copy() for name, array in model.state_dict().items()}
    state = optimizer.state_dict()
    trained(make, 3, model, optimizer)
    other = net()
    other.load_state_dict(values)
    restored = make(other.parameters())
    restored.load_state_dict(state)
    assert restored.steps == 3
    trained(make, 3, other, restored)
    assert bits(other) == bits(model)
    assert bits(model) == bits(trained(make, 6)[0])


@optimizers
def test_state_dicts_are_copies(make):
    _, optimizer, _ = trained(make, 1)
    state = optimizer.state_dict()
    assert len(state) >= 2
    assert state["steps"] == 1
    for name, array in optimizer.arena.states.items():
        assert not np.shares_memory(array, state[name])


@optimizers
def test_loading_a_fresh_state_forgets_the_momentum(make):
    model, optimizer, _ = trained(make, 3)
    optimizer.load_state_dict(make(net().parameters()).state_dict())
    model.load_state_dict(net().state_dict())
    trained(make, 2, model, optimizer)
    assert bits(model) == bits(trained(make, 2)[0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.update(v=np.zeros(3, "float32")), r"state 'v' has shape \(3,\), expected"),
        (lambda s: s.pop("steps"), "got a state of m, v; expected steps, m, v of Adam"),
        (lambda s: s.update(velocity=s["m"]), "got a state of m, steps, v, velocity; expected"),
        (lambda s: s.clear(), "got a state of nothing; expected"),
    ],
)
def test_a_state_of_other_parameters_changes_nothing(change, text):
    _, optimizer, _ = trained(OPTIMIZERS["adam"], 2)
    before = {name: array.tobytes() for name, array in optimizer.state_dict().items()}
    state = {
        name: array + np.asarray(1, array.dtype) for name, array in optimizer.state_dict().items()
    }
    change(state)
    with pytest.raises(OptionError, match=f"^optimizer: .*{text}"):
        optimizer.load_state_dict(state)
    after = {name: array.tobytes() for name, array in optimizer.state_dict().items()}
    assert after == before


# Steps


def test_a_train_step_is_forward_loss_backward_update():
    model, optimizer, losses = trained(OPTIMIZERS["sgd"], 2)
    assert optimizer.steps == 2
    by_hand = net()
    other = OPTIMIZERS["sgd"](by_hand.parameters())
    for _ in range(2):
        plain_step(by_hand, other)
    assert bits(by_hand) == bits(model)
    assert losses[0] != losses[1]


def test_a_train_step_hands_out_loss_and_prediction():
    model = net()
    step = TrainStep(model, CrossEntropyLoss(), SGD(model.parameters(), 0.1))
    assert step.steps == 0
    loss = step(X, LABELS)
    assert type(loss) is np.ndarray
    assert loss.shape == ()
    assert step.prediction.shape == (6, 3)
    assert step.steps == 1
    np.testing.assert_array_equal(loss, CrossEntropyLoss()(step.prediction, LABELS))


@optimizers
def test_two_runs_give_the_same_bits_and_the_loss_falls(make):
    model, _, losses = trained(make, 12)
    again, _, repeated = trained(make, 12)
    assert bits(model) == bits(again)
    assert losses == repeated
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_the_seed_of_a_step_draws_its_dropout():
    results = []
    for seed in (0, 0, 1):
        model = net()
        step = TrainStep(model, CrossEntropyLoss(), SGD(model.parameters(), 0.1), seed=seed)
        step(X, LABELS)
        results.append(step.prediction.tobytes())
    assert results[0] == results[1] != results[2]


def test_an_inference_step_is_the_net_in_evaluation():
    model, _, _ = trained(OPTIMIZERS["sgd"], 2)
    before = bits(model)
    np.testing.assert_allclose(InferenceStep(model)(X), model(X), rtol=1e-5, atol=1e-6)
    assert bits(model) == before
    assert InferenceStep(Flatten())(X).shape == (6, 25)


def test_a_gradient_after_a_change_of_dtype_keeps_its_bits():
    model, optimizer, _ = trained(OPTIMIZERS["sgd"], 1)
    model.astype("float64")
    weight = model[5].weight
    slope = np.full(weight.shape, 1 / 3)
    weight.add_grad(slope)
    np.testing.assert_array_equal(weight.grad, slope)
    optimizer.arena.refresh()
    np.testing.assert_array_equal(weight.grad, slope)
