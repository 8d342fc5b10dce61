"""Parameters and buffers: lazy values, state dicts, dtypes, gradients, running statistics."""

import numpy as np
import pytest
from layer_table import TABLE

from gpuconv.errors import DeviceError, OptionError, ShapeError, StateError
from gpuconv.graph import Sequential
from gpuconv.layers import BatchNorm2d, Conv2d, Linear, Parameter, PReLU, ReLU, TableConv2d, init
from gpuconv.random import Stream

WITH_STATE = [
    pytest.param(row, id=f"{cls.__name__}{number}")
    for cls, rows in TABLE.items()
    for number, row in enumerate(rows)
    if row.layer().state_dict()
]


def values(layer):
    return {name: array.tobytes() for name, array in layer.state_dict().items()}


def net():
    return Sequential(Conv2d(1, 2, 3), ReLU(), Sequential(Conv2d(2, 2, 1), BatchNorm2d(2)))


# Lazy values


def test_a_value_is_drawn_when_it_is_read():
    layer = Linear(4, 3)
    assert layer.weight.shape == (3, 4)
    assert layer.weight.size == 12
    assert not layer.weight.drawn
    value = layer.weight.value
    assert layer.weight.drawn
    assert value.dtype == np.float32
    assert layer.weight.value is value


def test_values_are_a_function_of_seed_and_place():
    assert values(net()) == values(net())
    assert values(net().initialize(0)) == values(net())
    assert values(net().initialize(7)) == values(net().initialize(7))
    first, other = net(), net().initialize(7)
    assert (first[0].weight.value != other[0].weight.value).all()


def test_reading_in_another_order_gives_the_same_values():
    one, two = net(), net()
    forwards = [p.value for p in one.parameters()]
    backwards = [p.value for p in reversed(two.parameters())][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a, b)


def test_equal_layers_at_two_places_differ():
    made = Sequential(Linear(3, 3), Linear(3, 3))
    assert (made[0].weight.value != made[1].weight.value).all()


def test_the_place_is_that_in_the_outermost_net():
    inner = Sequential(Linear(3, 3))
    Sequential(Linear(2, 3), inner)
    flat = Sequential(Linear(2, 3), Linear(3, 3))
    np.testing.assert_array_equal(inner[0].weight.value, flat[1].weight.value)


def test_a_value_that_was_read_stays_when_its_net_grows():
    layer = Linear(3, 3)
    value = layer.weight.value.copy()
    Sequential(Linear(2, 3), layer)
    np.testing.assert_array_equal(layer.weight.value, value)


def test_initialize_draws_anew_what_was_read_or_assigned():
    layer = Linear(3, 3)
    drawn = layer.initialize(4).weight.value.copy()
    layer.weight.value = np.zeros((3, 3), "float32")
    version = layer.weight.version
    np.testing.assert_array_equal(layer.initialize(4).weight.value, drawn)
    assert layer.weight.version > version


def test_a_shared_layer_is_one_parameter_at_its_first_place():
    shared = Linear(3, 3)
    made = Sequential(shared, Linear(3, 3), shared)
    assert [name for name, _ in made.named_parameters()] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
    ]
    assert len(made.parameters()) == 4
    alone = Sequential(Linear(3, 3))
    np.testing.assert_array_equal(shared.weight.value, alone[0].weight.value)


@pytest.mark.parametrize(
    ("how", "std"),
    [
        (init.Kaiming(), np.sqrt(2 / 90)),
        (init.Kaiming(gain=1.0, mode="fan_out", distribution="uniform"), np.sqrt(1 / 450)),
        (init.Xavier(), np.sqrt(2 / (90 + 450))),
        (init.Xavier(2.0, "normal"), 2 * np.sqrt(2 / (90 + 450))),
        (init.Normal(0.01), 0.01),
        (init.Uniform(0.3), 0.3 / np.sqrt(3)),
    ],
)
def test_initial_values_have_their_spread(how, std):
    drawn = Conv2d(10, 50, 3, weight_init=how).weight.value
    assert abs(drawn.std() / std - 1) < 4 / np.sqrt(2 * drawn.size)
    assert abs(drawn.mean()) < 4 * std / np.sqrt(drawn.size)


def test_constants_and_bad_initialisations():
    assert (Linear(2, 3, bias_init=init.Constant(1.0)).bias.value == 1).all()
    assert (PReLU(3).weight.value == 0.25).all()
    shape, stream = (2, 2), Stream(0)
    for bad in (init.Kaiming(mode="fan"), init.Kaiming(distribution="cauchy")):
        with pytest.raises(OptionError, match="unknown"):
            bad.draw(shape, stream)


def test_a_table_convolution_starts_as_a_convolution_of_as_many_connections():
    table = [tuple(range(8))] * 30
    by_table = TableConv2d(8, table, 5).weight.value
    std = np.sqrt(2 / (8 * 25))
    assert abs(by_table.std() / std - 1) < 4 / np.sqrt(2 * by_table.size)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ([(0, 3)], "names maps beyond 3"),
        ([(0,), (1, 1)], "has an empty row or names a map twice"),
        ([(0,), ()], "has an empty row or names a map twice"),
    ],
)
def test_bad_tables(table, text):
    with pytest.raises(OptionError, match=f"TableConv2d: table .* {text}"):
        TableConv2d(3, table, 3)


# State dicts


@pytest.mark.parametrize("row", WITH_STATE)
def test_state_dict_round_trip(row):
    layer, other, xs = row.make(), row.layer().astype("float64"), row.feed()
    state = layer.state_dict()
    other.load_state_dict(state)
    assert values(other) == values(layer)
    assert layer(*xs).tobytes() == other(*xs).tobytes()
    for name, array in other.state_dict().items():
        assert not np.shares_memory(array, state[name])


def test_state_dict_holds_the_arrays_themselves():
    layer = Linear(2, 3)
    assert layer.state_dict()["weight"] is layer.weight.value


def test_loading_converts_to_the_dtype_of_the_net():
    layer = Linear(2, 3)
    version = layer.weight.version
    layer.load_state_dict({"weight": np.ones((3, 2)), "bias": np.ones(3)})
    assert layer.weight.value.dtype == np.float32
    assert layer.weight.version > version


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("0.bias"), "missing 0.bias; nothing was loaded"),
        (lambda s: s.update({"9.weight": s["0.bias"]}), "unexpected 9.weight; nothing"),
        (
            lambda s: s.update({"2.0.bias": np.zeros(5)}),
            r"2.0.bias has shape \(5,\) and dtype float64, expected \(2,\) and float32",
        ),
        (lambda s: s.update({"2.0.bias": [0.0, 0.0]}), "2.0.bias is a .*list"),
        (lambda s: s.update({"2.0.bias": np.array(["a", "b"])}), "2.0.bias has .* dtype <U1"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, text):
    target = net()
    before = values(target)
    state = {name: np.asarray(a + 1) for name, a in target.state_dict().items()}
    change(state)
    with pytest.raises((StateError, DeviceError), match=f"^load_state_dict: .*{text}"):
        target.load_state_dict(state)
    assert values(target) == before


def test_loading_does_not_draw_what_it_replaces():
    layer = Linear(2, 3, weight_init=init.Kaiming(mode="drawing fails")).astype("float64")
    layer.load_state_dict({"weight": np.ones((3, 2)), "bias": np.ones(3)})
    assert layer.weight.value.dtype == np.float64


def test_num_batches_tracked_may_be_missing():
    layer = BatchNorm2d(3)
    state = layer.state_dict()
    assert state["num_batches_tracked"].dtype == np.int64
    del state["num_batches_tracked"]
    layer.load_state_dict(state)
    del state["running_mean"]
    with pytest.raises(StateError, match="missing running_mean"):
        layer.load_state_dict(state)


# Dtypes, devices, gradients


def test_astype_and_to():
    layer = BatchNorm2d(3)
    assert layer.weight.value.dtype == np.float32
    assert layer.astype("float64") is layer
    kinds = {name: a.dtype.name for name, a in layer.state_dict().items()}
    assert kinds.pop("num_batches_tracked") == "int64"
    assert set(kinds.values()) == {"float64"}
    assert layer.to("cpu") is layer.to("auto") is layer
    with pytest.raises(DeviceError, match="device 'cuda' is not available|unknown device"):
        layer.to("cuda:9")
    with pytest.raises(OptionError, match="astype: got 'float16'; expected float32 or float64"):
        layer.astype("float16")


def test_astype_before_the_value_is_drawn():
    layer = Linear(3, 3).astype("float64")
    assert not layer.weight.drawn
    assert layer.weight.value.dtype == np.float64
    wide, narrow = layer.weight.value, Linear(3, 3).weight.value
    np.testing.assert_array_equal(wide.astype("float32"), narrow)


def test_a_value_of_another_shape_is_refused():
    parameter = Parameter(np.zeros((2, 3)))
    version = parameter.version
    with pytest.raises(ShapeError, match=r"Parameter: got a value of shape \(3, 2\), expected"):
        parameter.value = np.zeros((3, 2))
    assert parameter.version == version
    parameter.value = np.ones((2, 3))
    assert parameter.version > version


def test_a_gradient_that_is_given_is_never_written_to():
    parameter, first = Parameter(np.zeros(3)), np.ones(3)
    parameter.add_grad(first)
    parameter.add_grad(2 * first)
    np.testing.assert_array_equal(parameter.grad, 3 * np.ones(3))
    np.testing.assert_array_equal(first, np.ones(3))


def test_a_gradient_of_another_shape_is_refused():
    layer, dy = Linear(2, 3), np.ones((5, 4), "float32")
    _, saved = layer.forward(np.ones((5, 2), "float32"), keep=True)
    with pytest.raises(ShapeError, match=r"gradient of shape \(4, 2\), expected \(3, 2\)"):
        layer.backward(dy, saved, need_dx=False)
    with pytest.raises(ShapeError, match=r"dy has 4 features but weight \(3, 2\) expects 3"):
        layer.backward(dy, saved)
    assert layer.weight.grad is None


# Running statistics


def test_running_statistics_as_pytorch():
    layer, x = BatchNorm2d(3, momentum=0.25), Stream(2).normal((4, 3, 2, 2)).astype("float32")
    layer.forward(x, train=True)
    near = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(layer.running_mean.value, 0.25 * x.mean((0, 2, 3)), **near)
    variance = 0.75 + 0.25 * x.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_var.value, variance, **near)
    assert layer.num_batches_tracked.value == 1
    layer.forward(x, train=True)
    assert layer.num_batches_tracked.value == 2


@pytest.mark.parametrize("mode", [{"train": True, "update": False}, {}, {"keep": True}])
def test_running_statistics_are_left_alone(mode):
    layer, x = BatchNorm2d(3), Stream(2).normal((4, 3, 2, 2)).astype("float32")
    before = values(layer)
    layer.forward(x, **mode)
    assert values(layer) == before


def test_a_frozen_batch_norm_uses_its_running_statistics_in_training():
    layer, x = BatchNorm2d(3, frozen=True), Stream(2).normal((4, 3, 2, 2)).astype("float32")
    before = values(layer)
    y, _ = layer.forward(x, train=True)
    assert y.tobytes() == layer(x).tobytes()
    assert values(layer) == before


def test_an_update_that_is_not_made_gives_the_same_output():
    x = Stream(2).normal((4, 3, 2, 2)).astype("float32")
    once = BatchNorm2d(3).forward(x, train=True)[0]
    assert BatchNorm2d(3).forward(x, train=True, update=False)[0].tobytes() == once.tobytes()
