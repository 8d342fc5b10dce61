"""The ReLUs with learned and with random slopes: conventions, draws, gradients, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, errors, registry
from gpuconv.ops import activation as ops
from gpuconv.random import Stream

PLACE = Stream(7, 3, 2)


def test_prelu_weight_is_one_or_one_per_channel_of_axis_1():
    x, slopes = -np.ones((2, 3, 2, 2)), np.array([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(ops.prelu(x, slopes)[1, :, 0, 1], -slopes)
    np.testing.assert_array_equal(ops.prelu(x, slopes[:1]), np.full(x.shape, -0.1))
    np.testing.assert_array_equal(ops.prelu(-np.ones(4), slopes[:1]), np.full(4, -0.1))


@pytest.mark.parametrize("weights", [1, 3])
def test_prelu_weight_gradient_against_central_differences(weights):
    x, dy, weight = values((2, 3, 2, 2)), values((2, 3, 2, 2), 1), values((weights,), 2)
    _, dweight = ops.prelu_backward(dy, x, weight)
    want = gradient(lambda w: ops.prelu(x, w), weight, dy)
    np.testing.assert_allclose(dweight, want, atol=1e-8)


def test_prelu_weight_gradient_shows_a_nan():
    x = np.array([[np.nan, 1.0], [1.0, -2.0]])
    dx, dweight = ops.prelu_backward(np.ones((2, 2)), x, np.full(2, 0.25))
    assert np.isnan(dweight).tolist() == [True, False]
    assert dx.tolist() == [[1.0, 1.0], [1.0, 0.25]]


def test_prelu_of_an_empty_batch_has_a_zero_weight_gradient():
    empty = np.zeros((0, 3, 2))
    dx, dweight = ops.prelu_backward(empty, empty, np.ones(3))
    assert dx.shape == (0, 3, 2)
    assert dweight.tolist() == [0.0] * 3


def test_rrelu_slopes_are_uniform_per_element():
    slopes = -ops.rrelu(np.full((64, 64), -1.0), PLACE)
    assert 1 / 8 <= slopes.min() < 0.126
    assert 0.332 < slopes.max() < 1 / 3
    assert slopes.mean() == pytest.approx((1 / 8 + 1 / 3) / 2, abs=2e-3)
    assert len(np.unique(slopes)) > 4000


def test_rrelu_slope_comes_from_the_upper_24_bits_of_the_element_s_word():
    want = [
        np.float32(0.125) + np.float32(np.float32(1 / 3 - 1 / 8) * np.float32((word >> 8) / 2**24))
        for word in Stream(7, 3, 2).words(30).tolist()
    ]
    y = ops.rrelu(np.full((2, 3, 5), -1.0, "float32"), PLACE)
    assert (-y).reshape(-1).tolist() == [float(slope) for slope in want]


def test_rrelu_slopes_are_the_same_in_float32_float64_and_backward():
    x = np.full((5, 7), -1.0)
    y = ops.rrelu(x, PLACE)
    np.testing.assert_array_equal(ops.rrelu(x.astype("float32"), PLACE).astype("float64"), y)
    np.testing.assert_array_equal(ops.rrelu_backward(x, x, PLACE), y)


@pytest.mark.parametrize("other", [Stream(8, 3, 2), Stream(7, 4, 2), Stream(7, 3, 1)])
def test_rrelu_draws_anew_for_another_seed_step_or_stream(other):
    x = np.full(64, -1.0)
    assert (ops.rrelu(x, PLACE) != ops.rrelu(x, other)).sum() > 60


@settings(max_examples=20)
@given(shape=st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple), one=st.booleans())
def test_prelu_random_shapes_against_the_reference(shape, one):
    for name in ("prelu", "prelu_backward"):
        op = registry.get_op(name)
        problem = op.problem(shape, 1 if one else shape[1])
        for kernel in on_cpu(op):
            battery.check(op, kernel, problem, device.get(kernel.devices[0]))


X = np.ones((2, 3), "float32")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (
            lambda: ops.prelu(X, X[0, :2]),
            errors.ShapeError,
            r"prelu: weight has shape \(2,\) but x \(2, 3\); expected one weight \(1,\)",
        ),
        (lambda: ops.prelu(X, X), errors.ShapeError, r"prelu: weight has shape \(2, 3\)"),
        (lambda: ops.prelu(np.asarray(X[0, 0]), X[0, :1]), errors.ShapeError, r"x \(\)"),
        (lambda: ops.rrelu(X, 7), errors.OptionError, "rrelu: stream must be a gpuconv.random"),
        (
            lambda: ops.rrelu(X, PLACE, 0.5, 0.25),
            errors.OptionError,
            "rrelu: lower=0.5 is above upper=0.25; exchange the two",
        ),
    ],
)
def test_bad_input_is_named(run, kind, words):
    with pytest.raises(kind, match=words):
        run()
