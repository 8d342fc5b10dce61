"""Optimisers against scalar recurrences, clipping, and what is left alone."""

from math import sqrt

import numpy as np
import pytest

from gpuconv.errors import OptionError
from gpuconv.layers import Parameter
from gpuconv.random import Stream
from gpuconv.training.optimizers import SGD, Adam, Optimizer
from gpuconv.training.schedules import exponential

START = [0.5, -1.25, 2.0]
SLOPE = [1.0, 0.1, 3.0]
STEPS = 6


def lr(step):
    return 0.1 / (1 + step)


def gradient(values):
    """Of sum of slope * value^2 / 2."""
    return np.asarray(SLOPE) * values


def descend(make, steps=STEPS):
    """The values after every step of an optimiser on the quadratic."""
    parameter = Parameter(np.array(START))
    optimizer, path = make([parameter]), []
    for _ in range(steps):
        optimizer.zero_grad()
        parameter.add_grad(gradient(parameter.value))
        optimizer.step()
        path.append(parameter.value.tolist())
    return path


def follow(update, steps=STEPS):
    """The same from a rule for one number: ``update(value, gradient, state, step)``."""
    values, states, path = list(START), [{} for _ in START], []
    for step in range(steps):
        for i, slope in enumerate(SLOPE):
            values[i] = update(values[i], slope * values[i], states[i], step)
        path.append(list(values))
    return path


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("form", ["torch", "paper"])
def test_sgd(momentum, decay, form):
    def update(w, g, state, step):
        g += decay * w
        if form == "paper":
            state["v"] = momentum * state.get("v", 0.0) - lr(step) * g
            return w + state["v"]
        state["v"] = momentum * state.get("v", 0.0) + g
        return w - lr(step) * state["v"]

    options = {"momentum": momentum, "weight_decay": decay, "form": form}
    near(descend(lambda p: SGD(p, lr, **options)), follow(update))


@pytest.mark.parametrize("form", ["torch", "paper"])
def test_sgd_nesterov(form):
    def update(w, g, state, step):
        outside, inside = (1, lr(step)) if form == "paper" else (lr(step), 1)
        state["v"] = 0.9 * state.get("v", 0.0) + inside * g
        return w - outside * (inside * g + 0.9 * state["v"])

    made = descend(lambda p: SGD(p, lr, 0.9, nesterov=True, form=form))
    near(made, follow(update))


def test_the_two_forms_differ_only_when_the_rate_changes():
    paths = [
        [descend(lambda p, f=f, r=r: SGD(p, r, 0.9, form=f)) for f in ("torch", "paper")]
        for r in (0.05, lr)
    ]
    near(*paths[0])
    assert np.abs(np.subtract(*paths[1])).max() > 1e-3


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(decay, decoupled):
    def update(w, g, state, step):
        if decoupled:
            w *= 1 - lr(step) * decay
        else:
            g += decay * w
        state["m"] = 0.8 * state.get("m", 0.0) + 0.2 * g
        state["v"] = 0.95 * state.get("v", 0.0) + 0.05 * g * g
        first, second = state["m"] / (1 - 0.8 ** (step + 1)), state["v"] / (1 - 0.95 ** (step + 1))
        return w - lr(step) * first / (sqrt(second) + 1e-6)

    options = {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": decay, "decoupled": decoupled}
    near(descend(lambda p: Adam(p, lr, **options)), follow(update))


def test_adams_first_step_is_the_rate_whatever_the_gradient():
    (values,) = descend(lambda p: Adam(p, 0.01), 1)
    assert values == pytest.approx([0.49, -1.24, 1.99], rel=1e-7)


def test_the_rate_may_be_a_number_of_numpys():
    assert SGD([Parameter(np.ones(2))], np.float32(0.5)).lr == 0.5


def test_the_rate_is_a_number_or_a_function_of_the_steps_taken():
    parameter = Parameter(np.zeros(2))
    fixed, falling = SGD([parameter], 0.5), SGD([parameter], exponential(0.5, 0.1))
    assert (fixed.lr, falling.lr) == (0.5, 0.5)
    for optimizer in (fixed, falling):
        optimizer.step()
    assert fixed.lr == 0.5
    assert falling.lr == pytest.approx(0.05)


# Clipping


def gradients(optimizer, parameters):
    """The gradients as the step has clipped them."""
    for number, parameter in enumerate(parameters):
        parameter.add_grad(Stream(2, number).normal(parameter.shape))
    optimizer.step()
    return np.concatenate([p.grad.ravel() for p in parameters])


def raw(parameters):
    drawn = [Stream(2, i).normal(p.shape).ravel() for i, p in enumerate(parameters)]
    return np.concatenate(drawn)


def test_clip_norm_is_of_all_gradients_together():
    parameters = [Parameter(np.ones(s)) for s in ((3, 2), (5,), ())]
    whole, norm = raw(parameters), np.linalg.norm(raw(parameters))
    for bound in (0.1, norm / 2, norm * 2):
        optimizer = SGD(parameters, 0.0, clip_norm=bound)
        optimizer.zero_grad()
        factor = min(1.0, bound / (norm + 1e-6))
        near(gradients(optimizer, parameters), factor * whole)


def test_clip_norm_passes_over_a_parameter_without_gradient():
    first, idle, last = (Parameter(np.ones(4)) for _ in range(3))
    optimizer = SGD([first, idle, last], 0.0, clip_norm=0.5)
    idle.add_grad(np.full(4, 1e6))
    optimizer.zero_grad()
    found = gradients(optimizer, [first, last])
    assert np.linalg.norm(found) == pytest.approx(0.5, rel=1e-5)
    near(found / np.linalg.norm(found), raw([first, last]) / np.linalg.norm(raw([first, last])))
    assert idle.grad is None


def test_clip_value_is_of_every_element():
    parameters = [Parameter(np.ones((3, 2))), Parameter(np.ones(5))]
    optimizer = SGD(parameters, 0.0, clip_value=0.5)
    near(gradients(optimizer, parameters), np.clip(raw(parameters), -0.5, 0.5))


# What is left alone


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, 0.9, 0.1), lambda p: Adam(p, 0.1)])
def test_a_parameter_without_gradient_is_left_alone(make):
    parameters = [Parameter(np.ones(3)) for _ in range(4)]
    optimizer = make(parameters)
    for parameter in parameters:
        parameter.add_grad(np.ones(3))
    optimizer.step()
    before = [p.value.copy() for p in parameters]
    versions = [p.version for p in parameters]
    optimizer.zero_grad()
    for number in (0, 2):
        parameters[number].add_grad(np.ones(3))
    optimizer.step()
    for number, parameter in enumerate(parameters):
        assert (parameter.value != before[number]).all() == (number in (0, 2))
        assert parameter.version == versions[number] + (number in (0, 2))


def test_a_shared_parameter_is_updated_once():
    shared = Parameter(np.ones(2))
    optimizer = SGD([shared, Parameter(np.ones(1)), shared], 0.5)
    shared.add_grad(np.ones(2))
    optimizer.step()
    assert shared.value.tolist() == [0.5, 0.5]


def test_what_is_not_trainable_is_left_out():
    frozen, free = Parameter(np.ones(2), trainable=False), Parameter(np.ones(2))
    value = frozen.value
    optimizer = SGD([frozen, free], 0.5)
    assert optimizer.arena.parameters == [free]
    assert frozen.value is value


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.5, 0.9), lambda p: Adam(p, 0.5)])
def test_what_is_made_trainable_later_is_updated_and_the_state_of_others_stays(make):
    first, late, last = (Parameter(np.full(n, 1.0), trainable=n != 3) for n in (2, 3, 4))
    alone = [Parameter(np.full(n, 1.0)) for n in (2, 4)]
    optimizer, other = make([first, late, last]), make(alone)
    for step in range(4):
        late.trainable = step >= 2
        for parameter in (first, last, *alone, *[late] * late.trainable):
            parameter.add_grad(np.full(parameter.shape, step - 1.5))
        for each in (optimizer, other):
            each.step()
            each.zero_grad()
    assert (late.value != 1.0).all()
    for got, want in zip((first, last), alone, strict=True):
        np.testing.assert_array_equal(got.value, want.value)


def test_zero_grad_forgets():
    parameter = Parameter(np.ones(2))
    optimizer = SGD([parameter], 0.5)
    parameter.add_grad(np.ones(2))
    optimizer.zero_grad()
    assert parameter.grad is None
    optimizer.step()
    assert parameter.value.tolist() == [1, 1]
    assert optimizer.steps == 1


# Options


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: SGD(p, -0.1), "optimizer: lr must be a number >= 0 or a schedule, got -0.1"),
        (lambda p: SGD(p, float("nan")), "optimizer: lr must be a number >= 0"),
        (lambda p: SGD(p, "fast"), "optimizer: lr must be a number >= 0 or a schedule, got 'fast'"),
        (lambda p: SGD(p, 0.1, 1.0), r"SGD: momentum must be in \[0, 1\), got 1.0"),
        (lambda p: SGD(p, 0.1, weight_decay=-1), "SGD: weight_decay must be >= 0, got -1"),
        (lambda p: SGD(p, 0.1, nesterov=True), "SGD: nesterov needs momentum > 0"),
        (lambda p: SGD(p, 0.1, form="keras"), "SGD: unknown form 'keras'; expected 'torch' or"),
        (lambda p: SGD(p, 0.1, clip_norm=0), "optimizer: clip_norm must be > 0, got 0"),
        (lambda p: SGD(p, 0.1, clip_value=-1), "optimizer: clip_value must be > 0, got -1"),
        (
            lambda p: Adam(p, betas=(0.9, 1.0)),
            r"betas must be two numbers in \[0, 1\), got \(0.9, 1",
        ),
        (lambda p: Adam(p, betas=0.9), "Adam: betas must be two numbers"),
        (lambda p: Adam(p, betas=(0.9, 0.9, 0.9)), "Adam: betas must be two numbers"),
        (lambda p: SGD(p, True), "optimizer: lr must be a number >= 0"),
        (lambda p: SGD(p, 0.1, None), r"SGD: momentum must be in \[0, 1\), got None"),
        (lambda p: SGD(p, 0.1, weight_decay=float("inf")), "SGD: weight_decay must be >= 0"),
        (lambda p: SGD(p, 0.1, clip_norm="1"), "optimizer: clip_norm must be > 0, got '1'"),
        (lambda p: SGD([1.0], 0.1), "expected parameters, as net.parameters.. gives; got 1.0"),
        (lambda p: Adam(p, eps=0.0), "Adam: expected eps > 0 and weight_decay >= 0, got 0.0"),
        (lambda p: SGD([], 0.1), "optimizer: there is no trainable parameter to update"),
        (
            lambda p: SGD([*p, Parameter(np.ones(1, "float32"))], 0.1),
            "one device and dtype, got float32 on cpu, float64 on cpu",
        ),
    ],
)
def test_bad_options(make, text):
    parameter = Parameter(np.ones(2))
    value = parameter.value
    with pytest.raises(OptionError, match=text):
        make([parameter])
    assert parameter.value is value


def test_an_optimizer_without_an_update_says_so():
    parameter = Parameter(np.ones(2))
    optimizer = Optimizer([parameter], 0.1)
    parameter.add_grad(np.ones(2))
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        optimizer.step()
