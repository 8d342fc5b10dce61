"""Normalisation: the conventions line by line, independent formulas, gradients, error texts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, registry
from gpuconv.errors import DtypeError, KernelError, OptionError, ShapeError
from gpuconv.kernels.batch_norm.op import BatchNormProblem
from gpuconv.kernels.lrn.op import LrnProblem
from gpuconv.ops import norm
from gpuconv.random import Stream

AXES = (0, 2, 3)


def _normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def _near(got, want, tolerance=1e-9):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, strict=True)


def _numeric(function, arrays, dy, step=1e-5):
    """Central differences of sum(function(*arrays) * dy) for every array."""
    gradients = []
    for number, array in enumerate(arrays):
        gradient = np.zeros(array.shape)
        for at in np.ndindex(array.shape):
            sums = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[number][at] += sign * step
                sums.append(np.sum(function(*moved) * dy))
            gradient[at] = (sums[0] - sums[1]) / (2 * step)
        gradients.append(gradient)
    return gradients


# batch_norm: the conventions.


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


# batch_norm: gradients.


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


# lrn.


def _lrn(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """PyTorch's definition: zero channels around, then a plain sum of ``size`` channels."""
    padded = np.pad(x * x, ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)
    return x / (k + alpha * view.sum(-1)) ** beta


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 20])
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn_windows_are_pytorchs_for_odd_and_even_sizes(size, beta):
    x = _normal(2, 6, 3, 2)
    _near(norm.lrn(x, size, 0.3, beta, 2.0), _lrn(x, size, 0.3 / size, beta, 2.0))


def test_lrn_an_even_window_reaches_further_down_than_up():
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 4, 1, 1)
    y = norm.lrn(x, 2, 2.0, 1.0, 1.0)
    _near(y.ravel(), np.array([1 / 2, 10 / 102, 100 / 10101, 1000 / 1010001]))


def test_lrn_alpha_is_divided_by_the_size_unless_it_is_per_element():
    x = _normal(2, 6, 3, 2)
    _near(norm.lrn(x, 5, 0.3, alpha_per="element"), _lrn(x, 5, 0.3))
    _near(norm.lrn(x, 5, 0.3, alpha_per="element"), norm.lrn(x, 5, 1.5, alpha_per="size"))


def test_lrn_defaults_are_pytorchs():
    x = 30 * _normal(1, 5, 2, 2)
    _near(norm.lrn(x, 3), _lrn(x, 3, 1e-4 / 3, 0.75, 1.0))


def test_lrn_looks_across_channels_not_images():
    x = _normal(3, 4, 2, 2)
    alone = np.concatenate([norm.lrn(x[n : n + 1], 3, 1.0) for n in range(3)])
    assert (norm.lrn(x, 3, 1.0) == alone).all()
    assert not (norm.lrn(x, 3, 1.0) == norm.lrn(x[:, ::-1], 2, 1.0)[:, ::-1]).all()


def test_lrn_nan_stays_in_its_window():
    x = np.ones((1, 5, 1, 1))
    x[0, 1] = np.nan
    assert np.isnan(norm.lrn(x, 3)).ravel().tolist() == [True, True, True, False, False]


def test_lrn_takes_an_empty_batch_and_sequences():
    x = np.zeros((0, 4, 2, 2))
    assert norm.lrn(x, 3).shape == norm.lrn_backward(x, x, 3).shape == x.shape
    x = _normal(2, 4, 6)
    assert (norm.lrn(x, 3) == norm.lrn(x[..., None], 3)[..., 0]).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("alpha_per", ["size", "element"])
@pytest.mark.parametrize("beta", [0.75, 1.0])
def test_lrn_gradient_equals_central_differences(size, alpha_per, beta):
    x, dy = _normal(2, 5, 1, 2), _normal(2, 5, 1, 2, seed=1)
    options = size, 0.8, beta, 0.5, alpha_per
    got = norm.lrn_backward(dy, x, *options)
    _near(got, _numeric(lambda a: norm.lrn(a, *options), (x,), dy)[0], 1e-7)


# Random shapes.


def _check(name, problem):
    op = registry.get_op(name)
    for kernel in op.kernels():
        for optional in battery.variants(op):
            battery.check(op, kernel, problem, device.CPU, optional=optional)


@settings(max_examples=25)
@given(st.integers(0, 6), st.integers(1, 5), st.integers(1, 9), st.sampled_from([0, 0.3, 1]))
def test_batch_norm_of_random_shapes(n, c, s, momentum):
    problem = BatchNormProblem(n, c, s, 1e-3, momentum)
    names = ["batch_norm_backward", "batch_norm_inference", "batch_norm_inference_backward"]
    for name in names if n * s == 1 else ["batch_norm", *names]:
        _check(name, problem)


@settings(max_examples=25)
@given(st.integers(0, 3), st.integers(1, 8), st.integers(1, 5), st.integers(1, 9))
def test_lrn_of_random_shapes(n, c, s, size):
    for name in ("lrn", "lrn_backward"):
        _check(name, LrnProblem(n, c, s, size, 0.2))


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
            "batch_norm: no kernel named 'welford' on cpu; registered: numpy:two_pass",
        ),
        (lambda: norm.lrn(X, 0), OptionError, "lrn: size must be an integer >= 1, got 0"),
        (lambda: norm.lrn(X, 3, -1), OptionError, "lrn: alpha must be >= 0 and finite, got -1"),
        (lambda: norm.lrn(X, 3, k=0), OptionError, "lrn: k must be > 0 and finite, got 0"),
        (
            lambda: norm.lrn(X, 3, alpha_per="window"),
            OptionError,
            "lrn: alpha_per must be 'size' or 'element', got 'window'",
        ),
        (lambda: norm.lrn(X[0, 0], 3), ShapeError, "lrn: x has shape .*; expected 3 or 4 dim"),
        (
            lambda: norm.lrn_backward(X[:, :2], X, 3),
            ShapeError,
            r"lrn_backward: dy has shape .*, expected \(2, 3, 4, 5\) as x has it",
        ),
    ],
)
def test_bad_input_is_named(run, error, message):
    with pytest.raises(error, match=message):
        run()
