"""What is frozen, and comes before all that is trained, keeps nothing for backward."""

import weakref

import numpy as np
import pytest
from test_replay import Pair, small_net
from test_transfer import images, net, train

import gpuconv as gcv
from gpuconv.errors import OptionError
from gpuconv.layers import Add, Conv2d, Flatten, Linear, ReLU, Tanh
from gpuconv.nodes import train_forward


def kept(saved):
    """Which nodes keep something, a path for each."""
    for place, state in enumerate(saved):
        if isinstance(state, list):
            yield from (f"{place}.{inner}" for inner in kept(state))
        elif state is not None and not (isinstance(state, tuple) and not state):
            yield str(place)


@pytest.mark.parametrize(
    ("frozen", "nodes"),
    [
        ((), {"0.0", "0.1", "0.2", "0.3", "1", "2.0", "2.1", "2.2"}),
        (("features",), {"2.0", "2.1", "2.2"}),
        (("features.0", "features.1"), {"0.3", "1", "2.0", "2.1", "2.2"}),
        (("features.0", "features.1", "features.3", "classifier.0"), {"2.2"}),
        (("features.3", "classifier"), {"0.0", "0.1", "0.2", "0.3", "1", "2.0", "2.1", "2.2"}),
        (("features", "classifier"), set()),
    ],
)
def test_what_comes_before_all_that_is_trained_keeps_nothing(frozen, nodes):
    model = net()
    for name in frozen:
        model.freeze(name)
    _, saved = train_forward(model, images())
    assert set(kept(saved)) == nodes
    assert len(set(kept(model.forward(images(), train=True)[1]))) == 8


def test_a_training_step_holds_no_value_of_a_frozen_prefix():
    """A layer behind it finds them freed, in a nested graph and out of it."""
    seen, alive = [], []

    class Watched(ReLU):
        def forward(self, *xs, **options):
            y, saved = super().forward(*xs, **options)
            seen.append(weakref.ref(y))
            return y, saved

    class Watch(Flatten):
        def forward(self, *xs, **options):
            alive.append([value() is not None for value in seen])
            return super().forward(*xs, **options)

    inner = gcv.Sequential(Conv2d(2, 3, 3), Watched(), Conv2d(3, 3, 3), Watched())
    parts = {"features": inner, "last": Conv2d(3, 3, 2), "flat": Watch(), "head": Linear(3, 3)}
    model = gcv.Sequential(parts).freeze("features")
    train(model, steps=1)
    model.freeze("last")
    train(model, steps=1)
    model.unfreeze("features.2")
    train(model, steps=1)
    assert alive == [[False, True], [False] * 4, [False] * 4 + [True] * 2]


def test_a_graph_that_kept_for_parameters_alone_says_that_dx_was_not_kept():
    model = net().freeze("features")
    _, saved = train_forward(model, images())
    with pytest.raises(OptionError, match="nothing was saved"):
        model.backward(np.ones((4, 3), np.float32), saved)


def test_a_graph_may_need_the_gradient_of_one_input():
    g = gcv.Graph()
    a, b = g.input("a"), g.input("b")
    g.apply(Add(), g.apply(Tanh(), a), g.apply(Tanh(), b))
    x = images()
    y, saved = g.forward(x, x, keep=True, need_dx=(False, True))
    assert set(kept(saved)) == {"1"}
    da, db = g.backward(np.ones_like(y), saved, need_dx=(False, True))
    assert da is None
    np.testing.assert_allclose(db, 1 - np.tanh(x) ** 2, atol=1e-5)


@pytest.mark.parametrize(
    "frozen",
    [("conv2d0",), ("conv2d0", "conv2d1"), ("conv2d0", "conv2d1", "prelu0"), ("conv2d1",)],
)
def test_training_behind_frozen_layers_is_played_with_the_same_bits(frozen):
    """Dropout in the frozen part still drops; a part that is unfrozen later is trained."""
    pair = Pair(lambda: small_net().freeze(*frozen))
    for number in range(4):
        pair.step(number)
    (tape,) = pair.steps[0]._tapes._known.values()
    assert tape.holds()
    pair.both(lambda step: step.net.unfreeze(frozen[-1]))
    assert not tape.holds()
    for number in range(4, 7):
        pair.step(number)
    (tape,) = pair.steps[0]._tapes._known.values()
    assert tape.holds()
