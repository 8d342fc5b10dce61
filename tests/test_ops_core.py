"""linear, cross_entropy, sgd and the array ops: independent formulas and bad input."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import ops
from gpuconv.errors import DataError, DeviceError, DtypeError, OptionError, ShapeError
from gpuconv.random import Stream

SIZE = st.integers(0, 6)


def normal(*shape, seed=0):
    return Stream(seed).normal(shape)


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def f32(*shape):
    return np.ones(shape, "float32")


# linear


@settings(max_examples=25)
@given(SIZE, st.integers(1, 5), st.integers(1, 5))
def test_linear_and_its_gradients(n, i, o):
    x, w, b, dy = normal(n, i), normal(o, i, seed=1), normal(o, seed=2), normal(n, o, seed=3)
    near(ops.linear(x, w), np.einsum("ni,oi->no", x, w))
    near(ops.linear(x, w, b), np.einsum("ni,oi->no", x, w) + b)
    near(ops.linear(x, w, b, epilogue="relu"), np.maximum(np.einsum("ni,oi->no", x, w) + b, 0))
    near(ops.linear_input(dy, w), np.einsum("no,oi->ni", dy, w))
    near(ops.linear_weight(x, dy), np.einsum("no,ni->oi", dy, x))


def test_linear_hands_nan_on():
    x = np.array([[1.0, np.nan], [1.0, 1.0]])
    y = ops.linear(x, np.ones((1, 2)), epilogue="relu")
    assert np.isnan(y).tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.linear(f32(2, 3), f32(4, 5)), ShapeError, "linear: input has 3 features but"),
        (lambda: ops.linear(f32(2, 3, 1), f32(4, 3)), ShapeError, "linear: x has shape (2, 3, 1);"),
        (lambda: ops.linear(f32(2, 3), f32(4, 3), f32(3)), ShapeError, "linear: bias has shape"),
        (lambda: ops.linear(f32(2, 3), np.ones((4, 3))), DtypeError, "linear: weight is float64"),
        (lambda: ops.linear([[1.0]], f32(1, 1)), DeviceError, "linear: x is a builtins.list"),
        (
            lambda: ops.linear(f32(2, 3), f32(4, 3), epilogue="tanh"),
            OptionError,
            "linear: unknown epilogue 'tanh'",
        ),
        (
            lambda: ops.linear_input(f32(2, 3), f32(4, 5)),
            ShapeError,
            "linear_input: dy has 3 features but weight (4, 5) expects 4",
        ),
        (
            lambda: ops.linear_weight(f32(2, 3), [[1.0]]),
            DeviceError,
            "linear_weight: dy is a builtins.list",
        ),
        (
            lambda: ops.linear_weight(f32(2, 3), f32(2)),
            ShapeError,
            "linear_weight: dy has shape (2,); expected 2 dimensions",
        ),
        (
            lambda: ops.linear_weight(np.ones((2, 3), int), np.ones((2, 3), int)),
            DtypeError,
            "linear_weight: x is int64; expected float32 or float64",
        ),
        (
            lambda: ops.linear_weight(f32(2, 3), f32(5, 3)),
            ShapeError,
            "linear_weight: dy has shape (5, 3), expected (2, 3)",
        ),
    ],
)
def test_bad_input_of_linear(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(text)


# cross_entropy


def plain_loss(row, target, smooth):
    probabilities = [exp(v) / sum(map(exp, row)) for v in row]
    wanted = [smooth / len(row) + (1 - smooth) * (k == target) for k in range(len(row))]
    return -sum(q * log(p) for q, p in zip(wanted, probabilities, strict=True))


@pytest.mark.parametrize("smooth", [0.0, 0.1])
def test_cross_entropy_is_the_mean_of_minus_log_probability(smooth):
    x, target = normal(5, 4), np.array([0, 3, 1, 1, 2])
    rows = [plain_loss(row, t, smooth) for row, t in zip(x, target, strict=True)]
    loss = ops.cross_entropy(x, target, label_smoothing=smooth)
    assert loss.shape == ()
    near(loss, np.mean(rows))


def test_cross_entropy_of_images_is_that_of_their_pixels():
    x, target = normal(2, 3, 4, 5), (normal(2, 4, 5, seed=1) > 0).astype("int32")
    rows, labels = x.transpose(0, 2, 3, 1).reshape(-1, 3), target.reshape(-1)
    near(ops.cross_entropy(x, target), ops.cross_entropy(rows, labels))
    dx = ops.cross_entropy_backward(np.asarray(1.0), x, target)
    flat = ops.cross_entropy_backward(np.asarray(1.0), rows, labels)
    near(dx.transpose(0, 2, 3, 1).reshape(-1, 3), flat)


def test_cross_entropy_of_huge_logits_is_finite():
    x = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    near(ops.cross_entropy(x, np.array([0, 1])), 0.0)
    near(ops.cross_entropy(x, np.array([1, 0])), 2000.0)
    x[0, 0] = np.nan
    assert np.isnan(ops.cross_entropy(x, np.array([0, 1])))


def test_cross_entropy_gradient_by_central_differences():
    x, target, h = normal(3, 4), np.array([1, 0, 3]), 1e-5
    dx = ops.cross_entropy_backward(np.asarray(-2.0), x, target, label_smoothing=0.2)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += h
        down[at] -= h
        rise = [ops.cross_entropy(v, target, label_smoothing=0.2) for v in (up, down)]
        assert abs(dx[at] + 2 * (rise[0] - rise[1]) / (2 * h)) < 1e-8


def test_labels_out_of_range_are_named():
    x = f32(3, 4)
    with pytest.raises(DataError) as caught:
        ops.cross_entropy(x, np.array([0, 4, 1]))
    assert str(caught.value) == (
        "cross_entropy: target 4 at (1,) is out of range; the 4 classes are 0 .. 3"
    )
    with pytest.raises(DataError, match="cross_entropy_backward: target -1 at"):
        ops.cross_entropy_backward(np.asarray(1.0, "float32"), x, np.array([0, 1, -1]))


@pytest.mark.parametrize(
    ("x", "target", "options", "error", "text"),
    [
        (f32(3, 4), np.zeros(2, int), {}, ShapeError, r"target has shape \(2,\), expected \(3,\)"),
        (f32(3, 4), np.zeros(3), {}, DtypeError, "target is float64; expected class numbers"),
        (f32(0, 4), np.zeros(0, int), {}, ShapeError, "the mean over no labels is undefined"),
        (f32(3), np.zeros(3, int), {}, ShapeError, r"x has shape \(3,\); expected 2 or 4 dim"),
        (f32(3, 4), [0, 1, 2], {}, DeviceError, "target is a builtins.list"),
        (f32(1, 4), np.zeros(1, int), {"label_smoothing": 1.0}, OptionError, r"in \[0, 1\), got 1"),
        (f32(1, 4), np.zeros(1, int), {"label_smoothing": "a"}, OptionError, "label_smoothing"),
    ],
)
def test_bad_input_of_cross_entropy(x, target, options, error, text):
    with pytest.raises(error, match=f"^cross_entropy: .*{text}"):
        ops.cross_entropy(x, target, **options)


# Arrays


@settings(max_examples=25)
@given(st.lists(SIZE, max_size=4))
def test_array_ops(shape):
    a, b = normal(*shape), normal(*shape, seed=1)
    near(ops.add(a, b), a + b)
    copied = ops.copy(a)
    np.testing.assert_array_equal(copied, a)
    assert not np.shares_memory(copied, a)
    total = b.copy()
    assert ops.accumulate(total, a) is None
    near(total, a + b)
    if len(shape) >= 2:
        axes = tuple(i for i in range(len(shape)) if i != 1)
        near(ops.channel_sum(a), a.sum(axes))


def test_copies_of_views_are_contiguous():
    view = normal(3, 4).T
    assert ops.copy(view).flags.c_contiguous
    np.testing.assert_array_equal(ops.copy(view), view)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float64, np.dtype("float32")])
def test_zeros(dtype):
    made = ops.zeros((2, 0, 3), dtype)
    assert (made.shape, made.dtype) == ((2, 0, 3), dtype)
    assert not ops.zeros((3, 2), dtype).any()
    assert ops.zeros((), dtype).item() == 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.add(f32(2), f32(3)), ShapeError, r"add: b has shape \(3,\), expected \(2,\)"),
        (lambda: ops.add(f32(2), np.ones(2)), DtypeError, "add: b is float64, expected float32"),
        (lambda: ops.accumulate(f32(2), f32(1)), ShapeError, "accumulate: x has shape"),
        (lambda: ops.accumulate(f32(2, 3).T, f32(3, 2)), ShapeError, "must be contiguous"),
        (lambda: ops.copy(np.ones(2, int)), DtypeError, "copy: x is int64; expected float32 or"),
        (lambda: ops.channel_sum(f32(3)), ShapeError, "channel_sum: x has shape .* at least 2"),
        (
            lambda: ops.zeros((2,), "int32"),
            DtypeError,
            "zeros: dtype is 'int32'; expected 'float32'",
        ),
        (lambda: ops.zeros((2,), "float99"), DtypeError, "zeros: dtype is 'float99'"),
        (lambda: ops.zeros((2, -1)), OptionError, "zeros: shape must be an integer >= 0, got -1"),
        (lambda: ops.zeros((2,), device="tpu"), DeviceError, "unknown device 'tpu'"),
    ],
)
def test_bad_input_of_array_ops(call, error, text):
    with pytest.raises(error, match=text):
        call()


# sgd


@pytest.mark.parametrize("form", ["torch", "paper"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_updates_in_place(form, nesterov):
    p, g, v = normal(9), normal(9, seed=1), normal(9, seed=2)
    before, speed, lr = p.copy(), v.copy(), 0.1
    options = {"momentum": 0.9, "weight_decay": 0.01, "nesterov": nesterov, "form": form}
    ops.sgd(p, g, v, np.asarray(lr), **options)
    slope = g + 0.01 * before
    slope = -lr * slope if form == "paper" else slope
    speed = 0.9 * speed + slope
    move = slope + 0.9 * speed if nesterov else speed
    near(v, speed)
    near(p, before + move if form == "paper" else before - lr * move)


@pytest.mark.parametrize(
    ("velocity", "options", "text"),
    [
        (None, {"momentum": 0.9}, "sgd: momentum needs a velocity array"),
        (f32(3), {"nesterov": True}, "sgd: nesterov needs momentum > 0"),
        (f32(3), {"form": "keras"}, "sgd: unknown form 'keras'; expected one of torch, paper"),
    ],
)
def test_bad_input_of_sgd(velocity, options, text):
    parameter = f32(3)
    with pytest.raises(OptionError) as caught:
        ops.sgd(parameter, f32(3), velocity, np.asarray(0.1, "float32"), **options)
    assert str(caught.value) == text
    assert (parameter == 1).all()
