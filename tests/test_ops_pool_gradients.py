"""Pooling against other formulas, central differences, and its reference on random shapes."""

import numpy as np
import pytest
from devices import on_cpu
from differences import gradient
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpuconv import battery, device, registry
from gpuconv.errors import ShapeError
from gpuconv.ops import pool
from gpuconv.random import Stream


def _normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def _near(got, want, tolerance=1e-8):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, strict=True)


def _blocks(x, size):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // size, size, w // size, size)


@pytest.mark.parametrize("algorithm", [k.name for k in on_cpu("max_pool2d")])
def test_max_equals_the_maximum_of_blocks(algorithm):
    x = _normal(3, 4, 12, 8, dtype="float32")
    y = pool.max_pool2d(x, 4, algorithm=algorithm)
    assert (y == _blocks(x, 4).max((3, 5))).all()


def test_average_equals_the_mean_of_blocks():
    x = _normal(3, 4, 12, 8)
    _near(pool.avg_pool2d(x, 4), _blocks(x, 4).mean((3, 5)))
    _near(pool.adaptive_avg_pool2d(x, (3, 2)), _blocks(x, 4).mean((3, 5)))


def test_global_pooling_equals_reductions_of_the_plane():
    x = _normal(2, 3, 5, 7)
    _near(pool.global_avg_pool2d(x), x.mean((2, 3), keepdims=True))
    y, index = pool.global_max_pool2d(x, return_indices=True)
    assert (y == x.max((2, 3), keepdims=True)).all()
    assert (index.reshape(2, 3) == x.reshape(2, 3, 35).argmax(2)).all()


def test_adaptive_bins_are_pytorchs():
    x = np.arange(1.0, 8).reshape(1, 1, 1, 7)
    y = pool.adaptive_avg_pool2d(x, (1, 3))  # columns 0..2, 2..4, 4..6
    _near(y, np.array([[[[2.0, 4, 6]]]]))
    y = pool.adaptive_avg_pool2d(x[..., :2], (1, 3))  # 0, 0..1, 1
    _near(y, np.array([[[[1.0, 1.5, 2]]]]))


def test_adaptive_size_none_keeps_the_inputs():
    x = _normal(1, 2, 5, 6)
    assert (pool.adaptive_avg_pool2d(x, None) == x).all()
    assert pool.adaptive_avg_pool2d(x, (None, 2)).shape == (1, 2, 5, 2)


@pytest.mark.parametrize("window", [(2, 2), (3, 1, 1), ((2, 3), (1, 2), ((1, 0), (0, 2)), 1, True)])
def test_max_gradient_equals_central_differences(window):
    x = _normal(1, 2, 5, 6)
    y, index = pool.max_pool2d(x, *window, return_indices=True)
    dy = _normal(*y.shape, seed=1)
    dx = pool.max_pool2d_backward(dy, index, x.shape, *window)
    _near(dx, gradient(lambda v: pool.max_pool2d(v, *window), x, dy))


@pytest.mark.parametrize(
    "window", [(2, 2), (3, 2, 1, True), (3, 2, 1, True, False), ((4, 2), 1, ((2, 1), (0, 1)))]
)
def test_average_gradient_equals_central_differences(window):
    x = _normal(1, 2, 5, 6)
    dy = _normal(*pool.avg_pool2d(x, *window).shape, seed=1)
    dx = pool.avg_pool2d_backward(dy, x.shape, *window)
    _near(dx, gradient(lambda v: pool.avg_pool2d(v, *window), x, dy))


@pytest.mark.parametrize("size", [1, (2, 3), (7, None)])
def test_adaptive_gradient_equals_central_differences(size):
    x = _normal(1, 2, 5, 6)
    dy = _normal(*pool.adaptive_avg_pool2d(x, size).shape, seed=1)
    dx = pool.adaptive_avg_pool2d_backward(dy, x.shape, size)
    _near(dx, gradient(lambda v: pool.adaptive_avg_pool2d(v, size), x, dy))


def test_global_gradients_equal_central_differences():
    x = _normal(2, 2, 3, 4)
    dy = _normal(2, 2, 1, 1, seed=1)
    average = pool.global_avg_pool2d_backward(dy, x.shape)
    _near(average, gradient(pool.global_avg_pool2d, x, dy))
    _, index = pool.global_max_pool2d(x, return_indices=True)
    maximum = pool.global_max_pool2d_backward(dy, index, x.shape)
    _near(maximum, gradient(pool.global_max_pool2d, x, dy))


AXIS = st.tuples(
    st.integers(1, 7), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2),
    st.integers(1, 2),
)  # fmt: skip


def _axes(first, second):
    sizes, kernel, stride, lead, trail, dilation = zip(first, second, strict=True)
    return sizes, kernel, stride, tuple(zip(lead, trail, strict=True)), dilation


def _check(names, problem):
    for name in names:
        op = registry.get_op(name)
        for kernel in on_cpu(op):
            battery.check(op, kernel, problem, device.CPU)


@settings(max_examples=25)
@given(AXIS, AXIS, st.booleans())
def test_max_pooling_of_random_shapes(first, second, ceil_mode):
    sizes, *window = _axes(first, second)
    try:
        problem = pool.max_problem("max_pool2d", (2, 2, *sizes), "float32", *window, ceil_mode)
    except ShapeError:
        assume(False)
    _check(("max_pool2d", "max_pool2d_backward"), problem)


@settings(max_examples=25)
@given(AXIS, AXIS, st.booleans(), st.booleans())
def test_average_pooling_of_random_shapes(first, second, ceil_mode, counted):
    sizes, kernel, stride, padding, _ = _axes(first, second)
    window = kernel, stride, padding, ceil_mode, counted
    try:
        problem = pool.avg_problem("avg_pool2d", (2, 2, *sizes), "float32", *window)
    except ShapeError:
        assume(False)
    _check(("avg_pool2d", "avg_pool2d_backward"), problem)


@settings(max_examples=25)
@given(*[st.integers(1, 6)] * 4)
def test_adaptive_pooling_of_random_shapes(h, w, p, q):
    problem = pool.adaptive_problem("adaptive_avg_pool2d", (2, 2, h, w), "float32", (p, q))
    _check(("adaptive_avg_pool2d", "adaptive_avg_pool2d_backward"), problem)
