"""What a state dict lacks, has too much of or in another shape is said at once; nothing loads."""

import re

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import StateError


def net():
    parts = {"conv": layers.Conv2d(1, 2, 3), "bn": layers.BatchNorm2d(2)}
    return gcv.Sequential(parts).initialize(1)


def other(**changes):
    """A state of other values, with some names changed (None: left out)."""
    state = {name: np.asarray(value + 1) for name, value in net().state_dict().items()}
    for name, new in changes.items():
        array = state.pop(name.replace("__", "."))
        if new is not None:
            state[new] = array
    return state


def bits(made):
    return {name: value.tobytes() for name, value in made.state_dict().items()}


def test_everything_that_does_not_fit_is_said_at_once():
    made, state = net(), other(conv__weight="conv.weigth", bn__bias=None)
    state |= {"bn.weight": np.ones(3), "head.bias": np.ones(1)}
    before = bits(made)
    text = (
        "missing bn.bias, conv.weight (there is conv.weigth); "
        "unexpected conv.weigth, head.bias; "
        "bn.weight has shape (3,) and dtype float64, expected (2,) and float32; nothing was loaded"
    )
    with pytest.raises(StateError, match=f"^load_state_dict: {re.escape(text)}"):
        made.load_state_dict(state)
    assert bits(made) == before


def test_names_of_a_wrapper_are_told_to_be_taken_off():
    state = {f"model.{name}": array for name, array in other().items()}
    with pytest.raises(StateError, match=r"the names begin with 'model\.'; take it off: \{name"):
        net().load_state_dict({**state, "criterion.weight": np.ones(2)})
    assert net().load_state_dict({n.removeprefix("model."): a for n, a in state.items()})
    with pytest.raises(StateError, match="missing bn.bias"):
        net().load_state_dict({f"model.{n}": a for n, a in other(conv__bias=None).items()})


def test_not_strict_loads_what_is_there_and_returns_the_rest():
    made, state = net(), other(conv__weight="conv.weigth", bn__bias=None)
    before = bits(made)
    found = made.load_state_dict(state, strict=False)
    assert found.missing_keys == ["bn.bias", "conv.weight"]
    assert found.unexpected_keys == ["conv.weigth"]
    for name in before:
        if name in found.missing_keys:
            assert bits(made)[name] == before[name]
        else:
            assert bits(made)[name] == state[name].tobytes()


def test_not_strict_still_refuses_another_shape():
    made = net()
    before = bits(made)
    with pytest.raises(StateError, match=r"^load_state_dict: bn\.weight has shape \(3,\)"):
        made.load_state_dict({"bn.weight": np.ones(3), "bn.bias": np.ones(2)}, strict=False)
    assert bits(made) == before


@pytest.mark.parametrize("strict", [True, False])
def test_the_count_of_batches_may_be_there_or_not(strict):
    without = other(bn__num_batches_tracked=None)
    for state in (other(), without):
        assert net().load_state_dict(state, strict) == ([], [])


def test_hundreds_of_names_are_cut():
    state = {f"layer.{number}.weight": np.ones(1) for number in range(500)}
    with pytest.raises(StateError) as caught:
        net().load_state_dict(state)
    assert "and 488 more; nothing was loaded" in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("alexnet", ["features.0.weight", "features.10.bias", "classifier.6.weight"]),
        ("vgg16", ["features.28.weight", "classifier.3.bias", "classifier.6.bias"]),
        ("resnet18", ["conv1.weight", "bn1.running_mean", "layer2.0.downsample.1.running_var"]),
        ("resnet50", ["layer1.0.conv3.weight", "layer4.2.bn3.num_batches_tracked", "fc.bias"]),
    ],
)
def test_keys_are_torchvisions(name, keys):
    assert set(keys) <= {key for key, _ in gcv.models.create(name).named_parameters()} | {
        key for key, _ in gcv.models.create(name).named_buffers()
    }
