"""Batch normalisation: the conventions line by line, other formulas, gradients, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, registry
from gpuconv.errors import DtypeError, KernelError, OptionError, ShapeError
from gpuconv.ops import norm
from gpuconv.random import Stream

AXES = (0, 2, 3)


def _normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def _numeric(function, arrays, dy):
    """Central differences of function(*arrays) for every array."""
    return [
        gradient(lambda v, k=k: function(*arrays[:k], v, *arrays[k + 1 :]), array, dy)
        for k, array in enumerate(arrays)
    ]


def _near(got, want, tolerance=1e-9):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, strict=True)


def test_batch_norm_normalises_with_the_biased_variance():
    x = _normal(4, 3, 5, 2) * 3 + 1
    y, mean, invstd = norm.batch_norm(x)
    _near(mean, x.mean(AXES))
    _near(invstd, (x.var(AXES) + 1e-5) ** -0.5)
    _near(y.mean(AXES), np.zeros(3))
    _near(y.var(AXES), x.var(AXES) / (x.var(AXES) + 1e-5))


def test_batch_norm_moves_the_running_statistics_by_a_tenth_of_mean_and_unbiased_variance():
    x, mean, var = _normal(4, 3, 5, 2), np.ones(3), np.full(3, 2.0)
    norm.batch_norm(x, running_mean=mean, running_var=var)
    _near(mean, 0.9 + 0.1 * x.mean(AXES))
    _near(var, 1.8 + 0.1 * x.var(AXES, ddof=1))


@pytest.mark.parametrize("momentum", [0, 0.25, 1])
def test_batch_norm_momentum_is_the_share_of_the_new_batch(momentum):
    x, mean, var = _normal(6, 2), np.ones(2), np.ones(2)
    norm.batch_norm(x, running_mean=mean, running_var=var, momentum=momentum)
    _near(mean, 1 - momentum + momentum * x.mean(0))
    _near(var, 1 - momentum + momentum * x.var(0, ddof=1))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3)])
def test_batch_norm_of_one_value_per_channel_is_refused(shape):
    mean, var = np.ones(3), np.ones(3)
    with pytest.raises(ShapeError, match="one value per channel.*use a larger batch"):
        norm.batch_norm(np.ones(shape), running_mean=mean, running_var=var)
    assert (mean == 1).all()
    assert (var == 1).all()
    assert norm.batch_norm_inference(np.ones(shape), None, None, mean, var).shape == shape


def test_batch_norm_eps_is_1e_5_and_inside_the_root():
    x = np.array([[0.0], [2e-3]])
    y, _, invstd = norm.batch_norm(x)
    _near(invstd, np.array([(1e-6 + 1e-5) ** -0.5]))
    _near(y, np.array([[-1e-3], [1e-3]]) * invstd)


@pytest.mark.parametrize("given_weight", [False, True])
@pytest.mark.parametrize("given_bias", [False, True])
def test_batch_norm_weight_and_bias_may_each_be_missing(given_weight, given_bias):
    x, w, b = _normal(5, 3), _normal(3, seed=1), _normal(3, seed=2)
    plain, mean, invstd = norm.batch_norm(x)
    given_w, given_b = w if given_weight else None, b if given_bias else None
    want = plain * (w if given_weight else 1) + (b if given_bias else 0)
    _near(norm.batch_norm(x, given_w, given_b)[0], want)
    var = 1 / invstd**2 - 1e-5
    _near(norm.batch_norm_inference(x, given_w, given_b, mean, var), want)


def test_batch_norm_is_accurate_where_the_mean_is_far_from_zero():
    x = (1e4 + _normal(64, 4, 7, 7)).astype(np.float32)
    mean, var = np.zeros(4, np.float32), np.zeros(4, np.float32)
    y, _, invstd = norm.batch_norm(x, running_mean=mean, running_var=var, momentum=1.0)
    wide = x.astype(np.float64)
    want = (wide - wide.mean(AXES, keepdims=True)) / wide.std(AXES, keepdims=True)
    assert np.abs(y - want).max() < 3e-5  # eps of eps * mean is not lost: it would be 1e-3
    np.testing.assert_allclose(invstd, 1 / wide.std(AXES), rtol=1e-5)
    np.testing.assert_allclose(var, wide.var(AXES, ddof=1), rtol=1e-5)


def test_batch_norm_of_a_constant_channel_is_its_bias():
    x = np.full((3, 2, 4, 4), 0.7, np.float32)
    y, _, invstd = norm.batch_norm(x, np.ones(2, np.float32), np.array([2, -3], np.float32))
    _near(y, np.broadcast_to(np.array([2, -3], np.float32)[:, None, None], x.shape), 1e-4)
    np.testing.assert_allclose(invstd, 1e-5**-0.5, rtol=1e-5)


def test_batch_norm_nan_stays_in_its_channel():
    x = _normal(3, 2, 2, 2)
    x[1, 1, 0, 0] = np.nan
    y, mean, _ = norm.batch_norm(x)
    assert np.isnan(y[:, 1]).all()
    assert np.isfinite(y[:, 0]).all()
    assert np.isnan(mean).tolist() == [False, True]
    y = norm.batch_norm_inference(x, None, None, np.zeros(2), np.ones(2))
    assert np.isnan(y).sum() == 1


def test_batch_norm_of_an_empty_batch_changes_no_running_statistics():
    x, mean, var = np.zeros((0, 3, 2, 2)), np.full(3, 5.0), np.full(3, 7.0)
    y, batch_mean, invstd = norm.batch_norm(x, running_mean=mean, running_var=var)
    assert y.shape == x.shape
    assert (mean == 5).all()
    assert (var == 7).all()
    dx, dweight, dbias = norm.batch_norm_backward(y, x, None, batch_mean, invstd)
    assert dx.shape == x.shape
    assert (dweight == 0).all()
    assert (dbias == 0).all()
    dx, dweight, dbias = norm.batch_norm_inference_backward(y, x, None, mean, var)
    assert dx.shape == x.shape
    assert (dweight == 0).all()


def test_batch_norm_of_a_matrix_is_that_of_single_element_planes():
    x = _normal(6, 3)
    planes = norm.batch_norm(x.reshape(6, 3, 1, 1))
    for flat, plane in zip(norm.batch_norm(x), planes, strict=True):
        assert (flat == plane.reshape(flat.shape)).all()


def test_batch_norm_inference_is_training_with_the_batchs_statistics():
    x, w, b = _normal(4, 3, 2, 5), _normal(3, seed=1), _normal(3, seed=2)
    y, _, _ = norm.batch_norm(x, w, b, eps=1e-3)
    _near(norm.batch_norm_inference(x, w, b, x.mean(AXES), x.var(AXES), eps=1e-3), y)


@pytest.mark.parametrize("shape", [(3, 2, 2, 3), (5, 2)])
def test_batch_norm_gradients_equal_central_differences(shape):
    x, w, b, dy = _normal(*shape), _normal(2, seed=1), _normal(2, seed=2), _normal(*shape, seed=3)
    _, mean, invstd = norm.batch_norm(x, w, b)
    got = norm.batch_norm_backward(dy, x, w, mean, invstd)
    want = _numeric(lambda *a: norm.batch_norm(*a)[0], (x, w, b), dy)
    for one, other in zip(got, want, strict=True):
        _near(one, other, 1e-7)
    without = norm.batch_norm_backward(dy, x, None, mean, invstd)
    _near(without[0], _numeric(lambda a: norm.batch_norm(a)[0], (x,), dy)[0], 1e-7)


def test_batch_norm_inference_gradients_equal_central_differences():
    x, w, b, dy = _normal(3, 2, 2, 3), _normal(2), _normal(2, seed=2), _normal(3, 2, 2, 3, seed=3)
    mean, var = np.array([0.5, -1]), np.array([0.25, 3])
    got = norm.batch_norm_inference_backward(dy, x, w, mean, var, eps=1e-2)
    want = _numeric(lambda *a: norm.batch_norm_inference(*a, mean, var, eps=1e-2), (x, w, b), dy)
    for one, other in zip(got, want, strict=True):
        _near(one, other, 1e-7)


def test_batch_norm_gradient_is_orthogonal_to_shift_and_scale():
    x, dy = _normal(4, 3, 3, 3), _normal(4, 3, 3, 3, seed=1)
    y, mean, invstd = norm.batch_norm(x, eps=1e-12)
    dx, dweight, dbias = norm.batch_norm_backward(dy, x, None, mean, invstd)
    _near(dx.sum(AXES), np.zeros(3))
    _near((dx * y).sum(AXES), np.zeros(3))
    _near(dbias, dy.sum(AXES))
    _near(dweight, (dy * y).sum(AXES))


# Random shapes.


def _check(name, problem):
    op = registry.get_op(name)
    for kernel in on_cpu(op):
        for optional in battery.variants(op):
            battery.check(op, kernel, problem, device.CPU, optional=optional)


@settings(max_examples=25)
@given(st.integers(0, 6), st.integers(1, 5), st.integers(1, 9), st.sampled_from([0, 0.3, 1]))
def test_batch_norm_of_random_shapes(n, c, s, momentum):
    problem = registry.get_op("batch_norm").problem(n, c, s, 1e-3, momentum)
    names = ["batch_norm_backward", "batch_norm_inference", "batch_norm_inference_backward"]
    for name in names if n * s == 1 else ["batch_norm", *names]:
        _check(name, problem)


# Bad input.

X, ONE = np.zeros((2, 3, 4, 5), np.float32), np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (
            lambda: norm.batch_norm(X, ONE[:2]),
            ShapeError,
            r"batch_norm: weight has shape \(2,\), expected \(3,\)",
        ),
        (
            lambda: norm.batch_norm(X, ONE.astype(float)),
            DtypeError,
            "batch_norm: weight is float64, expected float32",
        ),
        (
            lambda: norm.batch_norm(X[0]),
            ShapeError,
            "batch_norm: x has shape .*; expected 2 or 4 dimensions",
        ),
        (lambda: norm.batch_norm(X[:, :0]), ShapeError, "only the batch may be empty"),
        (
            lambda: norm.batch_norm(X, running_mean=ONE.copy()),
            OptionError,
            "batch_norm: give running_mean and running_var, or neither",
        ),
        (
            lambda: norm.batch_norm(X, running_mean=np.ones(6, "f4")[::2], running_var=ONE.copy()),
            ShapeError,
            "batch_norm: running_mean is updated in place and must be contiguous",
        ),
        (
            lambda: norm.batch_norm(X, momentum=1.5),
            OptionError,
            "batch_norm: momentum must be >= 0 and <= 1 and finite, got 1.5",
        ),
        (
            lambda: norm.batch_norm(X, momentum=None),
            OptionError,
            "batch_norm: momentum must be a number, got None",
        ),
        (lambda: norm.batch_norm(X, eps=0), OptionError, "batch_norm: eps must be > 0 and finite"),
        (
            lambda: norm.batch_norm_inference(X, None, None, ONE, ONE, eps=np.nan),
            OptionError,
            "batch_norm_inference: eps must be > 0 and finite, got nan",
        ),
        (
            lambda: norm.batch_norm_backward(X[:1], X, ONE, ONE, ONE),
            ShapeError,
            r"batch_norm_backward: dy has shape \(1, 3, 4, 5\), expected \(2, 3, 4, 5\)",
        ),
        (
            lambda: norm.batch_norm(X, algorithm="welford"),
            KernelError,
            "batch_norm: no kernel named 'welford' on cpu; registered: numba:one_pass, numpy:two_pass",
        ),
    ],
)
def test_bad_input_is_named(run, error, message):
    with pytest.raises(error, match=message):
        run()
