"""Regression losses, dropout, concatenation, padding: conventions, gradients, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, errors, registry
from gpuconv.ops.dropout import dropout
from gpuconv.ops.loss_regression import (
    bce_with_logits,
    bce_with_logits_backward,
    mse,
    mse_backward,
)
from gpuconv.ops.reshape import concat, concat_backward, pad, pad_backward
from gpuconv.random import Stream

PLACE = Stream(7, 3, 2)
LOSSES = pytest.mark.parametrize(
    ("loss", "backward"), [(mse, mse_backward), (bce_with_logits, bce_with_logits_backward)]
)


@LOSSES
def test_a_loss_is_a_0_d_mean_over_every_element(loss, backward):
    x, target = values((4, 3)).astype("float32"), np.full((4, 3), 0.25, "float32")
    value = loss(x, target)
    assert (type(value), value.shape, value.dtype) == (np.ndarray, (), np.dtype("float32"))
    each = [loss(x[i, j].reshape(1), target[i, j].reshape(1)) for i, j in np.ndindex(4, 3)]
    np.testing.assert_allclose(value, np.mean(each), rtol=1e-6)


@LOSSES
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 1, 2, 3)])
def test_loss_gradient_against_central_differences(loss, backward, shape):
    x, target = values(shape), Stream(5).uniform(shape)
    want = gradient(lambda near: loss(near, target), x, np.asarray(-1.5))
    np.testing.assert_allclose(backward(-1.5, x, target), want, atol=1e-8)
    np.testing.assert_array_equal(backward(np.asarray(-1.5), x, target), backward(-1.5, x, target))


@LOSSES
def test_a_nan_prediction_gives_a_nan_loss(loss, backward):
    x, target = np.array([0.0, np.nan]), np.zeros(2)
    assert np.isnan(loss(x, target))
    assert np.isnan(backward(1.0, x, target)).tolist() == [False, True]


@LOSSES
def test_a_loss_of_nothing_is_refused(loss, backward):
    empty = np.zeros((0, 3))
    for run in (lambda: loss(empty, empty), lambda: backward(1.0, empty, empty)):
        with pytest.raises(errors.ShapeError, match="a mean needs at least one element"):
            run()


def test_loss_formulas_written_in_another_way():
    x, target = values((6, 5)), Stream(5).uniform((6, 5))
    np.testing.assert_allclose(mse(x, target), np.vdot(x - target, x - target) / 30, rtol=1e-13)
    p = 1 / (1 + np.exp(-x))
    want = -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))
    np.testing.assert_allclose(bce_with_logits(x, target), want, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_with_logits_does_not_overflow(dtype):
    x, target = np.array([1e3, -1e3, 1e3, -1e3], dtype), np.array([1, 0, 0, 1], dtype)
    assert bce_with_logits(x, target) == 500.0
    assert bce_with_logits_backward(4.0, x, target).tolist() == [0.0, 0.0, 1.0, -1.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
def test_dropout_is_inverted(dtype, p):
    y = dropout(np.full((50, 80), 3.0, dtype), p, PLACE)
    kept = y != 0
    np.testing.assert_allclose(y[kept], 3.0 / (1.0 - p), rtol=1e-6)
    assert kept.mean() == pytest.approx(1.0 - p, abs=0.03)


def test_a_unit_stays_if_its_word_is_below_the_threshold():
    words = PLACE.words(300)
    y = dropout(np.ones((3, 4, 25), "float32"), 0.3, PLACE)
    np.testing.assert_array_equal(y.reshape(-1) != 0, words < np.floor(0.7 * 2.0**32))


def test_dropout_of_everything_gives_zeros():
    assert dropout(np.array([1.0, -2.0, 3.0]), 1.0, PLACE).tolist() == [0.0, 0.0, 0.0]


def test_dropout_hands_nan_on_dropped_or_not():
    assert np.isnan(dropout(np.full(64, np.nan), 0.5, PLACE)).all()


def test_dropout_of_dy_is_the_gradient():
    x, dy = values((4, 6)), values((4, 6), 1)
    want = gradient(lambda near: dropout(near, 0.4, PLACE), x, dy)
    np.testing.assert_allclose(dropout(dy, 0.4, PLACE), want, atol=1e-8)


@pytest.mark.parametrize("other", [Stream(8, 3, 2), Stream(7, 4, 2), Stream(7, 3, 1)])
def test_dropout_draws_anew_for_another_seed_step_or_stream(other):
    x = np.ones(256)
    assert 64 < (dropout(x, 0.5, PLACE) != dropout(x, 0.5, other)).sum() < 192


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_concat_joins_and_its_gradient_cuts(axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    for size, shape in zip((1, 0, 3), shapes, strict=True):
        shape[axis] = size
    parts = [values(tuple(shape), i) for i, shape in enumerate(shapes)]
    joined = concat(parts, axis)
    np.testing.assert_array_equal(joined, np.concatenate(parts, axis), strict=True)
    for got, want in zip(concat_backward(joined, (1, 0, 3), axis), parts, strict=True):
        np.testing.assert_array_equal(got, want, strict=True)
        assert got.flags.owndata


def test_concat_of_one_array_is_a_copy():
    x = values((2, 3))
    y = concat([x])
    y[...] = 0
    np.testing.assert_array_equal(x, values((2, 3)))


def test_concat_of_channels_is_the_default():
    assert concat([np.zeros((2, 1, 4, 4)), np.zeros((2, 2, 4, 4))]).shape == (2, 3, 4, 4)


@pytest.mark.parametrize("value", [0.0, -1.5, np.inf, np.nan])
def test_pad_and_its_gradient(value):
    x, border = values((2, 3, 4)).astype("float32"), ((0, 1), (2, 0), (1, 3))
    y = pad(x, border, value)
    np.testing.assert_array_equal(y, np.pad(x, border, constant_values=value), strict=True)
    np.testing.assert_array_equal(pad_backward(y, border), x, strict=True)


@settings(max_examples=20)
@given(data=st.data(), shape=st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple))
def test_random_shapes_against_the_reference(data, shape):
    axis = data.draw(st.integers(0, len(shape) - 1))
    before, after = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    total = before + shape[axis] + after
    border = tuple((before, after) if i == axis else (0, 1) for i in range(len(shape)))
    for name, options in (("concat", (axis, before, total)), ("pad", (border, 0.5))):
        for op in (registry.get_op(name), registry.get_op(f"{name}_backward")):
            for kernel in on_cpu(op):
                here = device.get(kernel.devices[0])
                battery.check(op, kernel, op.problem(shape, *options), here)


X = np.ones((2, 3), "float32")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (lambda: mse(X, X[0]), errors.ShapeError, r"mse: target has shape \(3,\), expected \(2, 3"),
        (lambda: mse(X, X.astype("float64")), errors.DtypeError, "mse: target is float64"),
        (
            lambda: mse_backward(np.nan, X, X),
            errors.OptionError,
            "mse_backward: dloss must be a finite number, got nan",
        ),
        (
            lambda: bce_with_logits_backward(X, X, X),
            errors.ShapeError,
            r"dloss has shape \(2, 3\), expected \(\)",
        ),
        (
            lambda: dropout(X, 1.5, PLACE),
            errors.OptionError,
            "dropout: p must be a finite number >= 0 and <= 1, got 1.5",
        ),
        (lambda: dropout(X, True, PLACE), errors.OptionError, "got True"),
        (
            lambda: dropout(X, 0.5, 3),
            errors.OptionError,
            "dropout: stream must be a",
        ),
        (lambda: concat([]), errors.OptionError, "concat: got no arrays; expected at least one"),
        (lambda: concat([X, [1]]), errors.DeviceError, r"concat: arrays\[1\] is a builtins.list"),
        (
            lambda: concat([X, X.astype("float64")]),
            errors.DtypeError,
            r"concat: arrays\[1\] is float64, expected float32 as arrays\[0\] has it",
        ),
        (
            lambda: concat([X, np.ones((3, 3), "float32")]),
            errors.ShapeError,
            r"arrays\[1\] has shape \(3, 3\); expected that of arrays\[0\], \(2, 3\), but",
        ),
        (lambda: concat([X, X[0]]), errors.ShapeError, r"arrays\[1\] has shape \(3,\)"),
        (lambda: concat([X, X], 2), errors.OptionError, "concat: axis 2 is out of range"),
        (lambda: concat([X, X], -3), errors.OptionError, "concat: axis must be an integer >= -2"),
        (lambda: concat([np.zeros(())]), errors.ShapeError, "at least one dimension"),
        (
            lambda: concat_backward(X, (1, 1)),
            errors.ShapeError,
            r"sizes \(1, 1\) add up to 2, but dy \(2, 3\) has 3 along axis 1",
        ),
        (lambda: concat_backward(X, (4, -1)), errors.OptionError, "sizes must be an integer >= 0"),
        (
            lambda: pad(X, ((1, 1),)),
            errors.OptionError,
            r"pad: padding must be one \(before, after\) for each of 2 axes, got \(\(1, 1\),\)",
        ),
        (lambda: pad(X, (1, 1)), errors.OptionError, "pad: padding must be one"),
        (lambda: pad(X, ((0, -1), (0, 0))), errors.OptionError, "pad: padding must be an integer"),
        (
            lambda: pad_backward(X, ((2, 1), (0, 0))),
            errors.ShapeError,
            r"pad_backward: dy \(2, 3\) is smaller than its padding \(\(2, 1\), \(0, 0\)\)",
        ),
    ],
)
def test_bad_input_is_named(run, kind, words):
    with pytest.raises(kind, match=words):
        run()
