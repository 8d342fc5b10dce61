"""Learning rate schedules against their formulas."""

from math import cos, pi

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv.errors import OptionError
from gpuconv.training import schedules


def rates(schedule, steps=8):
    return [schedule(step) for step in range(steps)]


FORMULAS = {
    "constant": (schedules.constant(0.3), lambda k: 0.3),
    "step": (schedules.step_decay(0.3, 3), lambda k: [0.3, 0.03, 0.003][k // 3]),
    "step_gamma": (schedules.step_decay(1.0, 2, 0.5), lambda k: 0.5 ** (k // 2)),
    "multistep": (
        schedules.multistep(0.3, [2, 5], 0.5),
        lambda k: 0.3 if k < 2 else 0.15 if k < 5 else 0.075,
    ),
    "exponential": (schedules.exponential(0.3, 0.9), lambda k: 0.3 * 0.9**k),
    "cosine": (
        schedules.cosine(0.3, 5, 0.1),
        lambda k: 0.1 + 0.1 * (1 + cos(pi * k / 5)) if k < 5 else 0.1,
    ),
    "warmup": (
        schedules.warmup(schedules.constant(0.4), 4),
        lambda k: [0.1, 0.2, 0.3, 0.4][min(k, 3)],
    ),
    "no_warmup": (schedules.warmup(schedules.constant(0.4), 0), lambda k: 0.4),
    "warmup_of_exponential": (
        schedules.warmup(schedules.exponential(1.0, 0.5), 2),
        lambda k: 0.5 if k == 0 else 0.5**k,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_is_its_formula(name):
    schedule, formula = FORMULAS[name]
    assert rates(schedule) == pytest.approx([formula(k) for k in range(8)])


def test_cosine_starts_and_ends_where_it_says():
    schedule = schedules.cosine(0.3, 10, 0.01)
    assert schedule(0) == pytest.approx(0.3)
    assert schedule(5) == pytest.approx(0.155)
    assert schedule(10) == schedule(1000) == pytest.approx(0.01)


def test_plateau_lowers_the_rate_when_patience_has_run_out():
    plateau = schedules.Plateau(1.0, factor=0.5, patience=1, threshold=0.1)
    seen = []
    for loss in (1.0, 0.95, 0.8, 0.79, 0.78, 0.77, 0.76, 0.5):
        plateau.report(loss)
        seen.append(plateau(0))
    assert seen == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_plateau_takes_nan_for_no_improvement():
    plateau = schedules.Plateau(1.0, factor=0.5, patience=0)
    plateau.report(float("nan"))
    assert plateau(0) == 0.5


def optimizer(rate):
    return gcv.SGD([gcv.layers.Parameter(np.ones(2, np.float32))], rate)


@pytest.mark.parametrize("steps", [None, 5, 0])
def test_an_optimisers_state_holds_what_a_plateau_has_learned(steps):
    def made():
        plateau = schedules.Plateau(1.0, factor=0.5, patience=1)
        return plateau, plateau if steps is None else schedules.warmup(plateau, steps)

    (mine, rate), (yours, other) = made(), made()
    for value in (0.7, 0.9, 0.8, 0.75):
        mine.report(value)
    state = optimizer(rate).state_dict()
    assert {name: float(state[f"schedule.{name}"]) for name in ("lr", "best", "bad")} == {
        **{"lr": 0.5, "best": 0.7, "bad": 1}
    }
    optimizer(other).load_state_dict(state)
    assert vars(yours) == vars(mine)
    for value in (0.71, 0.5):
        mine.report(value)
        yours.report(value)
    assert yours(0) == mine(0) == 0.25


def test_the_state_of_another_schedule_is_refused():
    plain, plateau = optimizer(0.1), optimizer(schedules.Plateau(0.1))
    with pytest.raises(
        OptionError, match=r"got a state of schedule\.bad, .*; expected steps of SGD"
    ):
        plain.load_state_dict(plateau.state_dict())
    with pytest.raises(OptionError, match=r"a state of steps; expected steps, schedule\.lr, "):
        plateau.load_state_dict(plain.state_dict())
    with pytest.raises(OptionError, match=r"schedule: expected a number as state 'best', got"):
        plateau.load_state_dict({**plateau.state_dict(), "schedule.best": np.ones(2)})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: schedules.step_decay(0.1, 0), "step_decay: every must be an integer >= 1, got 0"),
        (lambda: schedules.cosine(0.1, 0), "cosine: total must be an integer >= 1, got 0"),
        (lambda: schedules.cosine(-0.1, 5), "cosine: lr must be a finite number >= 0, got -0.1"),
        (lambda: schedules.cosine(0.1, 5.5), "cosine: total must be an integer, got 5.5"),
        (lambda: schedules.warmup(schedules.constant(1), -1), "warmup: steps must be an integer"),
        (lambda: schedules.warmup(0.1, 3), "warmup: expected a schedule, as .* got 0.1"),
        (lambda: schedules.constant(None), "constant: lr must be a finite number >= 0, got None"),
        (lambda: schedules.exponential(0.1, -1), "exponential: gamma must be a finite number"),
        (lambda: schedules.multistep(0.1, 5), "multistep: milestones must be a list of steps"),
        (lambda: schedules.multistep(0.1, [2, -1]), "multistep: milestones must be an integer >="),
        (lambda: schedules.step_decay(float("nan"), 3), "step_decay: lr must be a finite number"),
        (lambda: schedules.cosine("a", 5), "cosine: lr must be a finite number >= 0, got 'a'"),
        (lambda: schedules.cosine(0.1, "many"), "cosine: total must be an integer, got 'many'"),
        (
            lambda: schedules.constant(10**400),
            "constant: lr must be a finite number >= 0, got 1000",
        ),
        (lambda: schedules.Plateau("a"), "Plateau: lr must be a finite number >= 0, got 'a'"),
        (lambda: schedules.Plateau(1).report("low"), "Plateau: expected a number to .*, got 'low'"),
        (lambda: schedules.Plateau(1).report(None), "Plateau: expected a number to .*, got None"),
        (lambda: schedules.Plateau(0.1, factor=1.0), "Plateau: expected 0 < factor < 1"),
        (lambda: schedules.Plateau(0.1, patience=-1), "patience must be an integer >= 0, got -1"),
    ],
)
def test_bad_options(make, text):
    with pytest.raises(OptionError, match=text):
        make()
