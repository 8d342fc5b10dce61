"""Activation functions: conventions, independent formulas, gradients, errors."""

from dataclasses import replace

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, errors, registry
from gpuconv.kernels.elementwise import DrawingProblem, ElementwiseProblem
from gpuconv.ops import activation as ops
from gpuconv.ops import hardtanh, hardtanh_backward
from gpuconv.random import Stream

PLACE = Stream(7, 3, 2)
SHAPES = [(), (0, 3), (1,), (4, 3), (2, 3, 4, 5)]
SELU = (1.6732632423543772, 1.0507009873554805)
FORWARD = {
    "relu": ops.relu,
    "leaky_relu": ops.leaky_relu,
    "elu": ops.elu,
    "selu": lambda x: ops.elu(x, *SELU),
    "relu6": lambda x: hardtanh(x, 0.0, 6.0),
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "lenet_tanh": lambda x: ops.tanh(x, 1.7159, 2 / 3),
    "prelu": lambda x: ops.prelu(x, np.full(1, 0.25, x.dtype)),
    "rrelu": lambda x: ops.rrelu(x, PLACE),
}
BACKWARD = {  # dx from dy, x and y
    "relu": lambda dy, x, y: ops.relu_backward(dy, y),
    "leaky_relu": lambda dy, x, y: ops.leaky_relu_backward(dy, x),
    "elu": lambda dy, x, y: ops.elu_backward(dy, x),
    "selu": lambda dy, x, y: ops.elu_backward(dy, x, *SELU),
    "relu6": lambda dy, x, y: hardtanh_backward(dy, y, 0.0, 6.0),
    "sigmoid": lambda dy, x, y: ops.sigmoid_backward(dy, y),
    "tanh": lambda dy, x, y: ops.tanh_backward(dy, y),
    "lenet_tanh": lambda dy, x, y: ops.tanh_backward(dy, y, 1.7159, 2 / 3),
    "prelu": lambda dy, x, y: ops.prelu_backward(dy, x, np.full(1, 0.25, x.dtype))[0],
    "rrelu": lambda dy, x, y: ops.rrelu_backward(dy, x, PLACE),
}
GATED = ("relu", "relu6", "leaky_relu", "elu", "selu", "prelu", "rrelu")


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in FORWARD for shape in SHAPES if shape or name != "prelu"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shape_and_dtype_are_kept(name, shape, dtype):
    x = values(shape).astype(dtype)
    y = FORWARD[name](x)
    dx = BACKWARD[name](np.ones_like(x), x, y)
    assert (y.shape, y.dtype, dx.shape, dx.dtype) == (x.shape, x.dtype, x.shape, x.dtype)


@pytest.mark.parametrize("name", FORWARD)
def test_nan_in_nan_out(name):
    y = FORWARD[name](np.array([1.0, np.nan, -1.0, np.nan], "float32"))
    assert np.isnan(y).tolist() == [False, True, False, True]


@pytest.mark.parametrize("name", FORWARD)
def test_a_nan_gradient_is_handed_on_where_units_are_alive(name):
    x = np.array([1.0, 2.0])
    dx = BACKWARD[name](np.array([np.nan, 1.0]), x, FORWARD[name](x))
    assert np.isnan(dx).tolist() == [True, False]


@pytest.mark.parametrize("name", FORWARD)
def test_gradient_against_central_differences(name):
    x, dy = values((3, 4, 2)), values((3, 4, 2), 1)
    want = gradient(FORWARD[name], x, dy)
    np.testing.assert_allclose(BACKWARD[name](dy, x, FORWARD[name](x)), want, atol=1e-8)


@pytest.mark.parametrize("name", FORWARD)
def test_non_contiguous_arrays_give_the_same(name):
    x, dy = values((4, 3)).T, values((4, 3), 1).T
    y = FORWARD[name](x)
    np.testing.assert_array_equal(y, FORWARD[name](x.copy()))
    np.testing.assert_array_equal(BACKWARD[name](dy, x, y), BACKWARD[name](dy.copy(), x.copy(), y))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_relu_slope_at_zero_is_zero(zero):
    x = np.full(3, zero)
    assert ops.relu(x).tolist() == [0.0] * 3
    assert ops.relu_backward(np.full(3, 5.0), x).tolist() == [0.0] * 3


@pytest.mark.parametrize("name", GATED)
def test_slope_at_zero_is_the_left_one(name):
    x, dy = np.array([0.0, -0.0, -1e-30]), np.ones(3)
    dx = BACKWARD[name](dy, x, FORWARD[name](x))
    left = {"relu": 0.0, "relu6": 0.0, "leaky_relu": 0.01, "elu": 1.0, "prelu": 0.25}
    left["selu"] = SELU[0] * SELU[1]
    if name == "rrelu":
        assert ((dx >= 1 / 8) & (dx < 1 / 3)).all()
    else:
        assert dx.tolist() == [left[name]] * 3


@pytest.mark.parametrize("name", GATED)
def test_a_nan_unit_hands_its_gradient_on(name):
    x = np.array([np.nan, -1.0])
    slope = SELU[1] if name == "selu" else 1.0
    assert BACKWARD[name](np.array([3.0, 3.0]), x, FORWARD[name](x))[0] == 3.0 * slope


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_relu_stops_any_gradient_at_a_dead_unit(bad):
    dy, y = np.array([bad, bad], "float32"), np.array([0.0, 2.0], "float32")
    np.testing.assert_array_equal(ops.relu_backward(dy, y), np.array([0.0, bad], "float32"))


def test_relu_backward_takes_input_or_result():
    x, dy = values((5, 4)), values((5, 4), 1)
    np.testing.assert_array_equal(
        ops.relu_backward(dy, x), ops.relu_backward(dy, ops.relu(x)), strict=True
    )


def test_formulas_written_in_another_way():
    x = values((6, 7))
    same = np.testing.assert_allclose
    same(ops.relu(x), (x + np.abs(x)) / 2, rtol=1e-15)
    same(ops.leaky_relu(x, 0.2), np.where(x > 0, x, 0.2 * x), rtol=1e-15)
    same(ops.elu(x, 1.3), np.where(x > 0, x, 1.3 * (np.exp(x) - 1)), rtol=1e-12)
    same(ops.elu(x, 1.3, 0.4), np.where(x > 0, 0.4 * x, 0.52 * (np.exp(x) - 1)), rtol=1e-12)
    same(hardtanh(x, -0.5, 0.3), np.median([x, x * 0 - 0.5, x * 0 + 0.3], axis=0), rtol=1e-15)
    same(ops.sigmoid(x), 0.5 * (1 + np.tanh(x / 2)), rtol=1e-13)
    same(ops.tanh(x, 1.7, 0.6), 1.7 * (1 - 2 / (np.exp(1.2 * x) + 1)), rtol=1e-12)
    weight = np.linspace(-1, 1, 7)
    same(ops.prelu(x, weight), np.maximum(x, 0) + weight * np.minimum(x, 0), rtol=1e-15)


def test_hardtanh_has_no_gradient_at_a_bound_or_beyond():
    x = np.array([-3.0, -1.0, np.nextafter(-1, 0), 2.0, np.nextafter(4, 0), 4.0, np.inf, np.nan])
    dy = np.full(8, np.inf)
    want = [0.0, 0.0, np.inf, np.inf, np.inf, 0.0, 0.0, np.inf]
    assert hardtanh_backward(dy, x, -1, 4).tolist() == want
    assert hardtanh_backward(dy, hardtanh(x, -1, 4), -1, 4).tolist() == want


def test_the_bounds_of_hardtanh_are_rounded_to_the_arrays_dtype():
    x = np.array([0.7, 1e30], "float32")  # float32's 0.7 lies below 0.7
    assert hardtanh(x, -1, 0.7)[1] == x[0]
    assert hardtanh_backward(np.ones_like(x), x, -1, 0.7).tolist() == [0.0, 0.0]
    assert hardtanh(x, -1e300, 1e300).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_inputs_saturate(dtype):
    x = np.array([-1e3, 1e3, -np.inf, np.inf], dtype)
    assert ops.sigmoid(x).tolist() == [0.0, 1.0, 0.0, 1.0]
    assert ops.tanh(x, 2.0).tolist() == [-2.0, 2.0, -2.0, 2.0]
    assert ops.elu(x, 3.0).tolist() == [-3.0, 1e3, -3.0, np.inf]
    assert ops.elu_backward(np.ones_like(x), x).tolist() == [0.0, 1.0, 0.0, 1.0]
    assert ops.elu(x, 3.0, 0.5).tolist() == [-1.5, 500.0, -1.5, np.inf]
    assert ops.elu_backward(np.ones_like(x), x, 3.0, 0.5).tolist() == [0.0, 0.5, 0.0, 0.5]
    assert hardtanh(x, -2, 5).tolist() == [-2.0, 5.0, -2.0, 5.0]


def test_sigmoid_is_accurate_far_below_zero():
    x = np.array([-20.0, -80.0], "float32")
    np.testing.assert_allclose(ops.sigmoid(x), np.exp(x.astype("float64")), rtol=1e-6)


def test_tanh_of_lenet5_maps_one_to_about_one():
    assert ops.tanh(np.ones(1), 1.7159, 2 / 3)[0] == pytest.approx(1.0, abs=1e-4)


SHAPE = st.lists(st.integers(0, 5), max_size=4).map(tuple)


def plain_ops():
    """The ops whose axes all mean the same: they take an array without any, too."""
    for op in registry.ops().values():
        problem = next(iter(op.cases()))
        if isinstance(problem, ElementwiseProblem) and problem.shape == ():
            yield op, problem


def test_random_shapes_find_the_families():
    names = {op.name for op, _ in plain_ops()}
    assert names >= {"relu", "elu_backward", "tanh", "sigmoid", "rrelu_backward", "dropout"}
    assert any(isinstance(problem, DrawingProblem) for _, problem in plain_ops())


@settings(max_examples=20)
@given(shape=SHAPE)
def test_random_shapes_against_the_reference(shape):
    for op, problem in plain_ops():
        for kernel in on_cpu(op):
            here = device.get(kernel.devices[0])
            battery.check(op, kernel, replace(problem, shape=shape), here)


X = np.ones((2, 3), "float32")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (lambda: ops.relu([1.0]), errors.DeviceError, "relu: x is a builtins.list"),
        (lambda: ops.relu(X.astype(int)), errors.DtypeError, "relu: x is int64; expected float32"),
        (
            lambda: ops.relu_backward(X[:1], X),
            errors.ShapeError,
            r"relu_backward: dy has shape \(1, 3\), expected \(2, 3\)",
        ),
        (
            lambda: ops.sigmoid_backward(X.astype("float64"), X),
            errors.DtypeError,
            "sigmoid_backward: dy is float64, expected float32",
        ),
        (lambda: ops.relu(X, algorithm="fast"), errors.KernelError, "no kernel named 'fast'"),
        (
            lambda: ops.leaky_relu(X, np.inf),
            errors.OptionError,
            "leaky_relu: negative_slope must be a finite number, got inf",
        ),
        (lambda: ops.elu(X, "1"), errors.OptionError, "elu: alpha must be a finite number"),
        (lambda: ops.elu(X, 1.0, None), errors.OptionError, "elu: scale must be a finite number"),
        (lambda: hardtanh(X, 0, np.inf), errors.OptionError, "hardtanh: max_val must be a finite"),
        (
            lambda: hardtanh_backward(X, X, 2.0, 1.0),
            errors.OptionError,
            "hardtanh_backward: min_val=2.0 is above max_val=1.0; exchange them",
        ),
        (lambda: ops.tanh(X, 0.0), errors.OptionError, "tanh: scale must be above 0, got 0.0"),
        (lambda: ops.tanh(X, 1.0, -1), errors.OptionError, "tanh: slope must be above 0, got -1"),
    ],
)
def test_bad_input_is_named(run, kind, words):
    with pytest.raises(kind, match=words):
        run()
