"""Transfer learning: what is frozen keeps its bits and costs no backward pass; new heads."""

import inspect
from collections import Counter

import numpy as np
import pytest
from graph_parts import normal

import gpuconv as gcv
from gpuconv import ops
from gpuconv.errors import OptionError, StateError
from gpuconv.layers import (
    BatchNorm2d,
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    Linear,
    ReLU,
)
from gpuconv.training.checkpoint import Run

LABELS = np.array([0, 1, 2, 0])


def images(seed=0):
    return normal(4, 2, 6, 6, seed=seed, dtype="float32")


def net(seed=3):
    features = gcv.Sequential(Conv2d(2, 3, 3), BatchNorm2d(3), ReLU(), Conv2d(3, 3, 3))
    head = gcv.Sequential(Linear(12, 5), ReLU(), Linear(5, 3))
    parts = {"features": features, "flatten": Flatten(), "classifier": head}
    return gcv.Sequential(parts).initialize(seed)


def train(model, steps=3, make=lambda p: gcv.SGD(p, 0.05, 0.9, 1e-3)):
    step = gcv.TrainStep(model, CrossEntropyLoss(), make(model.parameters()))
    for k in range(steps):
        step(images(k), LABELS)
    return step.optimizer


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def changed(before, model):
    return {name for name, value in bits(model).items() if value != before[name]}


@pytest.fixture
def calls(monkeypatch):
    """How often each op was called, through the functions that layers call."""
    counted = Counter()

    def counting(name, function):
        def count(*arguments, **options):
            counted[name] += 1
            return function(*arguments, **options)

        return count

    for name, function in inspect.getmembers(ops, inspect.isfunction):
        monkeypatch.setattr(ops, name, counting(name, function))
    return counted


HEAD = {f"classifier.{k}.{what}" for k in (0, 2) for what in ("weight", "bias")}


def test_what_is_frozen_keeps_its_bits_and_the_rest_is_trained():
    model = net().freeze("features")
    before = bits(model)
    train(model)
    assert changed(before, model) == HEAD
    assert all(p.grad is None for n, p in model.named_parameters() if n.startswith("features"))


def test_running_statistics_of_a_frozen_part_are_used_and_left_alone():
    model = net()
    train(model, 2)
    model.freeze("features.1")
    y, _ = model.forward(images(), train=True)
    np.testing.assert_array_equal(y, model(images()))
    before = bits(model)
    train(model, 1)
    assert not [name for name in changed(before, model) if name.startswith("features.1")]
    model.unfreeze("features.1")
    y, _ = model.forward(images(), train=True)
    assert not np.allclose(y, model(images()))
    assert "features.1.running_mean" in changed(before, model)


@pytest.mark.parametrize(
    ("frozen", "gradients"),
    [
        ((), {"conv2d_weight": 2, "conv2d_input": 1, "batch_norm_backward": 1}),
        (("features",), {}),
        (("features.0", "features.1"), {"conv2d_weight": 1}),
        (("features.3",), {"conv2d_weight": 1, "conv2d_input": 1, "batch_norm_backward": 1}),
    ],
)
def test_no_gradient_is_computed_that_nobody_needs(calls, frozen, gradients):
    model = net()
    for name in frozen:
        model.freeze(name)
    optimizer = gcv.SGD(model.parameters(), 0.1)
    calls.clear()
    gcv.TrainStep(model, CrossEntropyLoss(), optimizer)(images(), LABELS)
    backward = ("conv2d_weight", "conv2d_input", "batch_norm_backward")
    assert {name: calls[name] for name in backward if calls[name]} == gradients
    assert not calls["batch_norm_inference_backward"]
    assert (calls["linear_weight"], calls["linear_input"]) == (2, 1 if "features" in frozen else 2)


def test_trained_layers_before_a_frozen_one_learn_through_it():
    model = net().freeze("classifier", "features.1")
    before = bits(model)
    train(model)
    kinds = ("weight", "bias")
    assert changed(before, model) == {f"features.{k}.{kind}" for k in (0, 3) for kind in kinds}


def test_gradients_of_a_frozen_net_are_those_of_the_whole_one():
    whole, frozen = net(), net().freeze("features.0")
    for model in (whole, frozen):
        _, saved = model.forward(images(), train=True)
        model.backward(np.ones((4, 3), np.float32), saved, need_dx=False)
    gradients = dict(frozen.named_parameters())
    for name, parameter in whole.named_parameters():
        if name.startswith("features.0."):
            assert gradients[name].grad is None
        else:
            np.testing.assert_array_equal(parameter.grad, gradients[name].grad)


def test_several_names_all_and_back():
    model = net()
    assert model.freeze("features.0.weight", "classifier.2").frozen_names() == [
        "features.0.weight",
        "classifier.2.weight",
        "classifier.2.bias",
    ]
    assert len(model.freeze().frozen_names()) == 11  # ten parameters, one batch normalisation
    assert set(model.unfreeze("features").frozen_names()) == HEAD
    assert model.unfreeze().frozen_names() == []
    assert not BatchNorm2d(2).freeze().unfreeze().frozen
    assert BatchNorm2d(2).freeze().frozen


def test_a_name_is_no_part_of_another():
    model = gcv.Sequential({"fc": Linear(2, 2), "fc2": Linear(2, 2)})
    assert model.freeze("fc").frozen_names() == ["fc.weight", "fc.bias"]


def test_a_shared_layer_is_frozen_by_either_path():
    shared = Linear(4, 4)
    model = gcv.Sequential({"a": shared, "b": shared})
    assert not model.freeze("b").parameters()[0].trainable


@pytest.mark.parametrize("method", ["freeze", "unfreeze"])
def test_a_name_that_is_not_there_changes_nothing(method):
    model = net()
    with pytest.raises(OptionError, match="named 'featurs'; did you mean 'features'"):
        getattr(model, method)("classifier", "featurs")
    with pytest.raises(OptionError, match="named 'zzz'; the net has features, classifier"):
        getattr(model, method)("zzz")
    assert model.frozen_names() == []


def test_a_gradient_that_was_there_is_not_taken_any_more():
    model = net()
    optimizer = gcv.SGD(model.parameters(), 0.1)
    _, saved = model.forward(images(), train=True)
    model.backward(np.ones((4, 3), np.float32), saved)
    before = bits(model)
    model.freeze("features")
    optimizer.step()
    assert changed(before, model) == HEAD


def test_a_part_that_is_unfrozen_later_trains_too():
    model = net().freeze("features")
    optimizer = train(model)
    before = bits(model)
    model.unfreeze("features")
    step = gcv.TrainStep(model, CrossEntropyLoss(), optimizer)
    step(images(), LABELS)
    assert changed(before, model) >= HEAD | {"features.0.weight", "features.1.running_mean"}


def test_the_summary_counts_what_is_frozen():
    model = net()
    assert "frozen" not in str(model.summary((2, 6, 6)))
    whole = model.summary((2, 6, 6)).kept_bytes
    model.freeze("features")
    assert 0 < model.summary((2, 6, 6)).kept_bytes == 4 * (12 + 5) < whole
    made = model.summary((2, 6, 6))
    assert (made.parameters, made.trainable) == (57 + 6 + 84 + 65 + 18, 65 + 18)
    lines = [line.split("│") for line in str(made).splitlines()]
    shown = {cells[1].strip(): cells[4].strip() for cells in lines if len(cells) > 4}
    assert (shown["trainable"], shown["frozen"]) == ("83", "147")


# Checkpoints


def checkpointed(tmp_path, model, optimizer):
    run = Run(tmp_path, {})
    run.checkpoint(model, optimizer)
    return run


def test_a_checkpoint_keeps_what_is_frozen(tmp_path):
    model = net().freeze("features.0.weight", "features.1", "classifier.0")
    model.unfreeze("features.1.bias")
    run = checkpointed(tmp_path, model, train(model))
    other = net().freeze("classifier.2")
    other_optimizer = gcv.SGD(other.parameters(), 0.05, 0.9, 1e-3)
    with pytest.raises(OptionError, match="state 'velocity' has shape"):
        run.restore(other, other_optimizer)  # an optimiser made for other parameters
    assert other.frozen_names() == model.frozen_names()
    run.restore(other, gcv.SGD(other.parameters(), 0.05, 0.9, 1e-3))
    assert other.frozen_names() == model.frozen_names()
    assert bits(other) == bits(model)


def test_a_resumed_run_goes_on_to_the_same_bits(tmp_path):
    straight = net().freeze("features")
    optimizer = train(straight)
    run = checkpointed(tmp_path, straight, optimizer)
    other = net().freeze("features")
    resumed = gcv.SGD(other.parameters(), 0.05, 0.9, 1e-3)
    run.restore(other, resumed)
    for model, state in ((straight, optimizer), (other, resumed)):
        gcv.TrainStep(model, CrossEntropyLoss(), state)(images(9), LABELS)
    assert bits(straight) == bits(other)


def test_what_another_net_froze_changes_nothing():
    model = net().freeze("classifier")
    before = model.frozen_names()
    with pytest.raises(StateError, match="the net has no layer1.weight"):
        model.set_frozen(["features.0.weight", "layer1.weight"])
    assert model.frozen_names() == before
