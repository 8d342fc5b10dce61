"""Softmax and log-softmax: axis, stability, NaN, gradients, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, errors, registry
from gpuconv.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

BOTH = pytest.mark.parametrize(
    ("forward", "backward"),
    [(softmax, softmax_backward), (log_softmax, log_softmax_backward)],
    ids=["softmax", "log_softmax"],
)
SHAPES = pytest.mark.parametrize("shape", [(4, 5), (2, 3, 2, 3), (3, 1)])


@SHAPES
def test_formulas_written_in_another_way(shape):
    x = values(shape)
    powers = np.exp(x)
    want = powers / np.add.reduce(powers, axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(x), want, rtol=1e-13)
    np.testing.assert_allclose(log_softmax(x), np.log(want), rtol=1e-12, atol=1e-14)


@SHAPES
def test_probabilities_add_up_to_one_along_axis_1(shape):
    y = softmax(values(shape).astype("float32"))
    np.testing.assert_allclose(y.sum(1), 1.0, rtol=1e-6)


@BOTH
@SHAPES
def test_gradient_against_central_differences(forward, backward, shape):
    x, dy = values(shape), values(shape, 1)
    want = gradient(forward, x, dy)
    np.testing.assert_allclose(backward(dy, forward(x)), want, atol=1e-8)


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_shift_of_all_logits_changes_nothing(forward, backward, dtype):
    x = np.array([[0.0, 1.0, -2.0]], dtype)
    np.testing.assert_array_equal(forward(x + 512), forward(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outliers_do_not_overflow(dtype):
    x = np.array([[1e3, -1e3, 0.0]], dtype)
    assert softmax(x).tolist() == [[1.0, 0.0, 0.0]]
    assert log_softmax(x).tolist() == [[0.0, -2e3, -1e3]]


def test_minus_infinity_has_probability_zero():
    x = np.array([[0.0, -np.inf, 0.0]])
    assert softmax(x).tolist() == [[0.5, 0.0, 0.5]]
    assert log_softmax(x)[0, 1] == -np.inf


@BOTH
@pytest.mark.parametrize("row", [[1.0, np.nan, 0.0], [np.inf, 1.0, np.inf], [-np.inf] * 3])
def test_nan_takes_its_row_and_no_other(forward, backward, row):
    y = forward(np.array([[1.0, 2.0, 3.0], row]))
    assert np.isnan(y).any(1).tolist() == [False, True]


@BOTH
def test_empty_batch(forward, backward):
    y = forward(np.zeros((0, 4, 2, 2), "float32"))
    assert y.shape == backward(y, y).shape == (0, 4, 2, 2)


@settings(max_examples=20)
@given(rows=st.integers(0, 4), classes=st.integers(1, 40), image=st.none() | st.integers(1, 3))
def test_random_shapes_against_the_reference(rows, classes, image):
    shape = (rows, classes) if image is None else (rows, classes, image, 2)
    for run in (softmax, softmax_backward, log_softmax, log_softmax_backward):
        op = registry.get_op(run.__name__)
        for kernel in on_cpu(op):
            battery.check(op, kernel, op.problem(shape), device.get(kernel.devices[0]))


X = np.ones((2, 3), "float32")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (
            lambda: softmax(X[0]),
            errors.ShapeError,
            r"softmax: x has shape \(3,\); expected 2 or 4 dimensions",
        ),
        (
            lambda: log_softmax(X[:, :0]),
            errors.ShapeError,
            r"log_softmax: x has shape \(2, 0\); only the batch may be empty",
        ),
        (lambda: softmax(X.astype(int)), errors.DtypeError, "softmax: x is int64"),
        (
            lambda: softmax_backward(X[:1], X),
            errors.ShapeError,
            r"softmax_backward: dy has shape \(1, 3\), expected \(2, 3\)",
        ),
    ],
)
def test_bad_input_is_named(run, kind, words):
    with pytest.raises(kind, match=words):
        run()
