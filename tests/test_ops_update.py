"""Adam and gradient clipping: formulas, in place, errors."""

import numpy as np
import pytest
from devices import on_cpu
from differences import values

from gpuconv import battery, device, errors, registry
from gpuconv.ops.clip import clip_grad_norm, clip_grad_value
from gpuconv.ops.update_adam import adam

SIZE = 40_000  # over two blocks of the NumPy kernels


def textbook(w, gradients, lr, b1, b2, eps, decay, decoupled):
    """Algorithm 1 as it is printed: moments corrected first, then the step."""
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        if decoupled:
            w = w - lr * decay * w
        else:
            g = g + decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v


@pytest.mark.parametrize(("decay", "decoupled"), [(0.0, False), (0.1, False), (0.1, True)])
@pytest.mark.parametrize("numbers", ["python", "arrays"])
def test_adam_follows_algorithm_1(decay, decoupled, numbers):
    start, gradients = values((SIZE,)), [values((SIZE,), i) for i in (1, 2, 3)]
    w, m, v = start.copy(), np.zeros(SIZE), np.zeros(SIZE)
    for step, g in enumerate(gradients, 1):
        arrays = np.asarray(0.02), np.asarray(step)
        lr, t = arrays if numbers == "arrays" else (0.02, step)
        options = {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": decay}
        assert adam(w, g, m, v, lr, t, **options, decoupled=decoupled) is None
    want = textbook(start, gradients, 0.02, 0.8, 0.99, 1e-6, decay, decoupled)
    for got, expected in zip((w, m, v), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_the_first_adam_step_moves_by_lr_against_the_sign():
    w = np.zeros(3, "float32")
    adam(w, np.array([5.0, -1e-3, 0.0], "float32"), np.zeros_like(w), np.zeros_like(w), 0.5, 1)
    np.testing.assert_allclose(w, [-0.5, 0.5, 0.0], rtol=2e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_by_norm_scales_down_and_returns_the_norm_before(dtype):
    g = np.array([3.0, 0.0, -4.0], dtype)
    norm = clip_grad_norm(g, 1.0)
    assert (norm.shape, norm.dtype, float(norm)) == ((), g.dtype, 5.0)
    np.testing.assert_allclose(g, np.array([0.6, 0.0, -0.8]) / (1 + 2e-7), rtol=2e-7)


def test_clip_by_norm_leaves_a_short_gradient_alone():
    g = values((SIZE,))
    before = g.copy()
    norm = clip_grad_norm(g, np.asarray(1e3))
    np.testing.assert_array_equal(g, before)
    np.testing.assert_allclose(norm, np.linalg.norm(before), rtol=1e-13)


def test_clip_by_norm_of_zeros_and_of_nothing():
    for size in (3, 0):
        g = np.zeros(size)
        assert clip_grad_norm(g, 1.0) == 0.0
        assert g.tolist() == [0.0] * size


def test_clip_by_norm_sums_in_float64():
    g = np.full(200_000, 1e-3, "float32")
    g[0] = 1e4
    assert clip_grad_norm(g, 1e9) == np.float32(np.sqrt(1e8 + 199_999 * float(g[1]) ** 2))
    g = np.full(2, 1e30, "float32")
    assert clip_grad_norm(g, 1.0) == np.float32(np.sqrt(2.0) * 1e30)


def test_a_nan_makes_the_norm_and_every_clipped_element_nan():
    g = np.array([1.0, np.nan, 2.0])
    assert np.isnan(clip_grad_norm(g, 1.0))
    assert np.isnan(g).all()


def test_clip_by_value_and_nan_stays_nan():
    g = np.array([0.5, -3.0, np.nan, np.inf, -np.inf], "float32")
    assert clip_grad_value(g, 2.0) is None
    np.testing.assert_array_equal(g, np.array([0.5, -2.0, np.nan, 2.0, -2.0], "float32"))


def test_an_update_writes_only_to_its_slice_of_a_flat_array():
    flat = np.full(10, 4.0)
    clip_grad_value(flat[3:7], np.asarray(1.0))
    assert flat.tolist() == [4.0] * 3 + [1.0] * 4 + [4.0] * 3


def test_kernels_against_the_reference_over_a_block_boundary():
    for name in ("adam", "clip_grad_value"):
        op = registry.get_op(name)
        for kernel in on_cpu(op):
            battery.check(op, kernel, op.problem(16_400), device.get(kernel.devices[0]))


W = np.ones(3, "float32")


@pytest.mark.parametrize(
    ("run", "kind", "words"),
    [
        (lambda: adam(W, W, W, W, -1.0, 1), errors.OptionError, "adam: lr must be a finite number"),
        (
            lambda: adam(W, W, W, W, 0.1, 0),
            errors.OptionError,
            "adam: step must be an integer >= 1",
        ),
        (
            lambda: adam(W, W, W, W, 0.1, 1, betas=(0.9, 1.0)),
            errors.OptionError,
            r"adam: betas must be two numbers in \[0, 1\), got \(0.9, 1.0\)",
        ),
        (lambda: adam(W, W, W, W, 0.1, 1, betas=(0.9,)), errors.OptionError, "adam: betas"),
        (lambda: adam(W, W, W, W, 0.1, 1, eps=-1), errors.OptionError, "adam: eps must be"),
        (lambda: adam(W, W[:2], W, W, 0.1, 1), errors.ShapeError, "adam: gradient has shape"),
        (lambda: adam(W, W, W, W, np.asarray(0.1), 1), errors.DtypeError, "adam: lr is float64"),
        (
            lambda: adam(W, W, W, W, 0.1, np.asarray(1.0)),
            errors.DtypeError,
            "adam: step is float64",
        ),
        (lambda: adam(W[None], W, W, W, 0.1, 1), errors.ShapeError, "expected 1 dimensions"),
        (
            lambda: clip_grad_norm(W, -1.0),
            errors.OptionError,
            "clip_grad_norm: max_norm must be a finite number >= 0, got -1.0",
        ),
        (lambda: clip_grad_value(W, np.nan), errors.OptionError, "clip_grad_value: limit must be"),
        (
            lambda: clip_grad_norm(np.ones(6, "float32")[::2], 1.0),
            errors.ShapeError,
            "gradient is updated in place and must be contiguous",
        ),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(run, kind, words):
    with pytest.raises(kind, match=words):
        run()
    assert W.tolist() == [1.0] * 3
