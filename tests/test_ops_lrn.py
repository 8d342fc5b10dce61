"""Local response normalisation: the conventions, PyTorch's formula, gradients, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, registry
from gpuconv.errors import OptionError, ShapeError
from gpuconv.ops import norm
from gpuconv.random import Stream


def _normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def _near(got, want, tolerance=1e-9):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, strict=True)


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
    _near(got, gradient(lambda a: norm.lrn(a, *options), x, dy), 1e-7)


# Random shapes.


def _check(name, problem):
    op = registry.get_op(name)
    for kernel in on_cpu(op):
        for optional in battery.variants(op):
            battery.check(op, kernel, problem, device.CPU, optional=optional)


@settings(max_examples=25)
@given(st.integers(0, 3), st.integers(1, 8), st.integers(1, 5), st.integers(1, 9))
def test_lrn_of_random_shapes(n, c, s, size):
    for name in ("lrn", "lrn_backward"):
        _check(name, registry.get_op("lrn").problem(n, c, s, size, 0.2))


# Bad input.

X = np.zeros((2, 3, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
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
