"""Pooling: the conventions line by line, error texts."""

import numpy as np
import pytest
from devices import on_cpu

from gpuconv import device, registry
from gpuconv.errors import DtypeError, KernelError, OptionError, ShapeError
from gpuconv.ops import pool
from gpuconv.random import Stream


def _normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def _algorithms(op):
    return [kernel.algorithm for kernel in on_cpu(op)]


MAX = pytest.mark.parametrize("algorithm", _algorithms("max_pool2d"))


def _near(got, want, tolerance=1e-8):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, strict=True)


# Golden numbers: the 3 x 3 x 2 volume of the lecture text, window 2, stride 1.
VOLUME = np.array(
    [[[[-6, -7, -5], [-9, -6, -9], [3, -5, -8]], [[2, 3, -2], [7, 4, 1], [5, 5, 7]]]], float
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_golden_numbers(dtype):
    x = VOLUME.astype(dtype)
    assert pool.max_pool2d(x, 2, 1).tolist() == [[[[-6, -5], [3, -5]], [[7, 4], [7, 7]]]]
    means = [[[[-7, -6.75], [-4.25, -7]], [[4, 1.5], [5.25, 4.25]]]]
    assert pool.avg_pool2d(x, 2, 1).tolist() == means
    assert pool.global_max_pool2d(x).tolist() == [[[[3]], [[7]]]]
    _near(9 * pool.global_avg_pool2d(x), np.array([[[[-52]], [[32]]]], dtype), 1e-5)


# Max pooling: the conventions.


@MAX
def test_max_takes_the_first_maximum_in_row_major_order(algorithm):
    x = np.array([[[[1.0, 2, 5, 5], [2, 2, 5, 5]]]])
    y, index = pool.max_pool2d(x, 2, return_indices=True, algorithm=algorithm)
    assert y.tolist() == [[[[2, 5]]]]
    assert index.tolist() == [[[[1, 2]]]]


@MAX
def test_max_index_is_int32_and_flat_in_the_plane(algorithm):
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    _, index = pool.max_pool2d(x, (2, 5), return_indices=True, algorithm=algorithm)
    assert index.dtype == np.int32
    assert (index == np.array([[9], [19]])).all()


@MAX
def test_max_nan_wins_and_the_first_nan_is_pointed_to(algorithm):
    x = np.array([[[[np.inf, 1, np.nan, 0], [np.nan, 9, np.inf, np.nan]]]])
    y, index = pool.max_pool2d(x, 2, return_indices=True, algorithm=algorithm)
    assert np.isnan(y).all()
    assert index.tolist() == [[[[4, 2]]]]


@MAX
def test_max_a_window_of_minus_infinity_points_to_its_first_element(algorithm):
    x = np.full((1, 1, 3, 3), -np.inf)
    y, index = pool.max_pool2d(x, 3, 2, 1, return_indices=True, algorithm=algorithm)
    assert (y == -np.inf).all()
    assert index.tolist() == [[[[0, 1], [3, 4]]]]


@MAX
def test_max_padding_never_wins(algorithm):
    y = pool.max_pool2d(-np.ones((1, 1, 3, 3)), 3, 1, 1, algorithm=algorithm)
    assert (y == -1).all()


def test_max_index_and_value_agree():
    x = _normal(2, 3, 7, 8, dtype="float32")
    y, index = pool.max_pool2d(x, 3, 2, 1, return_indices=True)
    picked = np.take_along_axis(x.reshape(2, 3, 56), index.reshape(2, 3, -1).astype(int), 2)
    assert (picked.reshape(y.shape) == y).all()


def test_stride_defaults_to_the_kernel_size():
    x = _normal(1, 2, 9, 8)
    assert (pool.max_pool2d(x, (3, 2)) == pool.max_pool2d(x, (3, 2), (3, 2))).all()
    assert (pool.avg_pool2d(x, (3, 2)) == pool.avg_pool2d(x, (3, 2), (3, 2))).all()


def test_padding_is_an_int_a_pair_or_four_numbers():
    x = _normal(1, 2, 5, 6)
    for run in (pool.max_pool2d, pool.avg_pool2d):
        four = run(x, 3, 2, ((1, 1), (0, 0)))
        assert (run(x, 3, 2, (1, 0)) == four).all()
        assert (run(x, 3, 2, 1) == run(x, 3, 2, ((1, 1), (1, 1)))).all()
        assert run(x, 3, 1, ((0, 1), (2, 0))).shape == (1, 2, 4, 6)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "out"),
    [(6, 2, 3, 0, 2), (7, 2, 3, 0, 3), (5, 2, 2, 1, 3), (4, 2, 2, 1, 3), (6, 3, 2, 0, 3)],
)
def test_ceil_mode_drops_a_last_window_that_starts_beyond_the_input(
    size, kernel, stride, padding, out
):
    x = np.ones((1, 1, size, size))
    for run in (pool.max_pool2d, pool.avg_pool2d):
        assert run(x, kernel, stride, padding, ceil_mode=True).shape == (1, 1, out, out)


# Average pooling: PyTorch's divisors.


def test_average_divides_by_the_whole_window_where_padding_counts():
    y = pool.avg_pool2d(np.ones((1, 1, 4, 4)), 2, 2, 1)
    _near(y, np.array([[[[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]]]))


def test_average_without_count_include_pad_divides_by_real_elements():
    y = pool.avg_pool2d(np.ones((1, 1, 4, 5)), 3, 2, 1, count_include_pad=False)
    _near(y, np.ones((1, 1, 2, 3)))


def test_average_divisor_counts_padding_but_nothing_beyond_it():
    x = np.ones((1, 1, 1, 5))
    y = pool.avg_pool2d(x, (1, 4), (1, 3), ((0, 0), (1, 1)), ceil_mode=True)
    _near(y, np.array([[[[3 / 4, 3 / 4]]]]))  # columns -1..2 and 2..5, 5 being padding
    y = pool.avg_pool2d(x, (1, 4), (1, 4), ((0, 0), (1, 1)), ceil_mode=True)
    _near(y, np.array([[[[3 / 4, 2 / 3]]]]))  # 3..6: 6 is beyond the padding


def test_average_of_a_window_of_counted_padding_is_zero():
    y = pool.avg_pool2d(np.ones((1, 1, 2, 2)), 2, 2, ((2, 0), (0, 0)))
    _near(y, np.array([[[[0.0], [1.0]]]]))


@pytest.mark.parametrize("run", [pool.max_pool2d, pool.avg_pool2d])
def test_nan_stays_in_its_windows(run):
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    assert np.isnan(run(x, 2)).tolist() == [[[[False, True], [False, False]]]]


def test_nan_stays_in_its_bin():
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    y = pool.adaptive_avg_pool2d(x, 2)
    assert np.isnan(y).tolist() == [[[[False, True], [False, False]]]]


def test_gradients_let_no_nan_through_to_other_windows():
    dy = np.array([[[[1.0, np.nan], [np.inf, 2]]]])
    index = np.array([[[[0, 2], [8, 10]]]], np.int32)
    dx = pool.max_pool2d_backward(dy, index, (1, 1, 4, 4), 2)
    assert np.isnan(dx).sum() == 1
    assert np.isinf(dx).sum() == 1
    assert np.nansum(dx[np.isfinite(dx)]) == 3


@pytest.mark.parametrize("algorithm", _algorithms("max_pool2d_backward"))
def test_max_gradient_sums_what_overlaps(algorithm):
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    _, index = pool.max_pool2d(x, 2, 1, return_indices=True)
    dy = np.array([[[[1.0, 2], [4, 8]]]])
    dx = pool.max_pool2d_backward(dy, index, x.shape, 2, 1, algorithm=algorithm)
    assert (dx == 15 * x).all()


@pytest.mark.parametrize("algorithm", _algorithms("max_pool2d_backward"))
@pytest.mark.parametrize("stray", [-1, 2, 16, 2**31 - 1])
def test_an_index_outside_its_window_counts_for_nothing(algorithm, stray):
    index = np.array([[[[stray]]]], np.int32)
    dx = pool.max_pool2d_backward(
        np.ones((1, 1, 1, 1)), index, (1, 1, 4, 4), 2, 4, algorithm=algorithm
    )
    assert (dx == 0).all()


def test_an_empty_batch_gives_empty_results():
    x = np.zeros((0, 3, 6, 6), np.float32)
    y, index = pool.max_pool2d(x, 2, return_indices=True)
    assert y.shape == index.shape == pool.avg_pool2d(x, 2).shape == (0, 3, 3, 3)
    assert pool.max_pool2d_backward(y, index, x.shape, 2).shape == x.shape
    assert pool.avg_pool2d_backward(y, x.shape, 2).shape == x.shape
    assert pool.global_max_pool2d(x).shape == pool.global_avg_pool2d(x).shape == (0, 3, 1, 1)
    assert pool.adaptive_avg_pool2d(x, 2).shape == (0, 3, 2, 2)


def test_views_are_pooled_as_their_copies():
    x = _normal(2, 6, 8, 3).transpose(0, 3, 1, 2)
    assert (pool.max_pool2d(x, 2) == pool.max_pool2d(x.copy(), 2)).all()
    assert (pool.avg_pool2d(x[:, ::2], 2) == pool.avg_pool2d(x[:, ::2].copy(), 2)).all()


def test_a_few_large_windows_are_pooled_by_another_kernel_than_many_small_ones():
    op, here = registry.get_op("max_pool2d"), device.CPU
    small = pool.max_problem("max_pool2d", (64, 6, 28, 28), "float32", 2)
    large = pool.max_problem("max_pool2d", (64, 6, 28, 28), "float32", 28)
    assert registry.choose(op, small, here).algorithm == "taps"
    assert registry.choose(op, large, here).algorithm == "windows"


# Bad input.

X = np.zeros((1, 2, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (
            lambda: pool.max_pool2d(X, 5),
            ShapeError,
            "max_pool2d: the window spans 5 elements along the height .kernel_size 5, dilation 1. "
            "but the padded input has 4",
        ),
        (
            lambda: pool.max_pool2d(X, 2, 2, 2),
            ShapeError,
            "max_pool2d: window 0 along the height holds no element of the input, only padding .*"
            "use less padding or a larger kernel",
        ),
        (
            lambda: pool.max_pool2d(X, 2, 1, ((0, 0), (3, 0)), 5),
            ShapeError,
            "the window spans 6 elements along the height",
        ),
        (
            lambda: pool.max_pool2d(X[:, :, :, :1], (1, 2), 1, ((0, 0), (2, 2)), (1, 4)),
            ShapeError,
            "window 0 along the width holds no element",
        ),
        (
            lambda: pool.avg_pool2d(X, 2, 2, 2, count_include_pad=False),
            ShapeError,
            "avg_pool2d: window 0 along the height holds no element",
        ),
        (lambda: pool.max_pool2d(X, 0), OptionError, "max_pool2d: kernel_size must be an integer"),
        (lambda: pool.avg_pool2d(X, 2, 0), OptionError, "avg_pool2d: stride must be an integer"),
        (lambda: pool.max_pool2d(X, 2, 2, -1), OptionError, "max_pool2d: padding must be .* >= 0"),
        (lambda: pool.max_pool2d(X[0], 2), ShapeError, r"x has shape \(2, 4, 5\); expected 4 dim"),
        (lambda: pool.avg_pool2d(X[:, :0], 2), ShapeError, "only the batch may be empty"),
        (
            lambda: pool.max_pool2d(X.astype(np.int32), 2),
            DtypeError,
            "max_pool2d: x is int32; expected float32 or float64",
        ),
        (
            lambda: pool.max_pool2d(X, 2, algorithm="winograd"),
            KernelError,
            "max_pool2d: no kernel named 'winograd' on cpu; registered: numba:direct, numpy:taps",
        ),
        (
            lambda: pool.max_pool2d_backward(X, np.zeros(X.shape, np.int32), X.shape, 2),
            ShapeError,
            r"max_pool2d_backward: dy has shape \(1, 2, 4, 5\), expected \(1, 2, 2, 2\)",
        ),
        (
            lambda: pool.max_pool2d_backward(X, np.zeros(X.shape, np.int64), X.shape, 1),
            DtypeError,
            "max_pool2d_backward: index is int64, expected int32",
        ),
        (
            lambda: pool.max_problem("max_pool2d", (1, 1, 2**16, 2**16), "float32", 2),
            ShapeError,
            "max_pool2d: a padded plane of 65536 x 65536 elements is more than the int32 index",
        ),
        (
            lambda: pool.adaptive_avg_pool2d(X, 0),
            OptionError,
            "adaptive_avg_pool2d: output_size must be an integer >= 1, got 0",
        ),
        (
            lambda: pool.adaptive_avg_pool2d_backward(X, X.shape, 3),
            ShapeError,
            r"adaptive_avg_pool2d_backward: dy has shape .*, expected \(1, 2, 3, 3\)",
        ),
        (
            lambda: pool.global_max_pool2d(X[0]),
            ShapeError,
            "global_max_pool2d: x has shape .* expected 4 dimensions",
        ),
    ],
)
def test_bad_input_is_named(run, error, message):
    with pytest.raises(error, match=message):
        run()
