"""Convolution and its gradients: conventions, agreement of the kernels, adjointness, workspace."""

from itertools import product

import numpy as np
import pytest
from devices import on_cpu
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import device, limits, ops, registry
from gpuconv.kernels.conv2d import _numpy
from gpuconv.random import Stream

CONVS = ("conv2d", "conv2d_input", "conv2d_weight")


def normal(*shape, seed=0, dtype="float64"):
    return Stream(seed).normal(shape).astype(dtype)


def each(op):
    names = [k.name for k in on_cpu(op) if "cpu" in k.devices]
    return pytest.mark.parametrize("algorithm", names)


def near(got, want, eps=1e-12):
    np.testing.assert_allclose(got, want, rtol=0, atol=eps * max(1, np.abs(want).max(initial=0)))


def window_sums(x, w, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1)):
    """Convolution of one group, one window after the other: numpy.pad and a sum of products."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    down, across = dilation[0] * (w.shape[2] - 1) + 1, dilation[1] * (w.shape[3] - 1) + 1
    rows = range(0, padded.shape[2] - down + 1, stride[0])
    cols = range(0, padded.shape[3] - across + 1, stride[1])
    y = np.empty((len(x), len(w), len(rows), len(cols)))
    for (p, row), (q, col) in product(enumerate(rows), enumerate(cols)):
        window = padded[:, :, row : row + down : dilation[0], col : col + across : dilation[1]]
        y[:, :, p, q] = (window[:, None] * w).sum((2, 3, 4))
    return y


# Conventions


@each("conv2d")
def test_padding_is_an_int_a_pair_or_four_sides(algorithm):
    x, w = normal(2, 3, 6, 7), normal(4, 3, 3, 3, seed=1)
    for padding, sides in (
        (2, ((2, 2), (2, 2))),
        ((0, 1), ((0, 0), (1, 1))),
        (((1, 0), (2, 3)), ((1, 0), (2, 3))),
        ([[0, 4], [0, 0]], ((0, 4), (0, 0))),
    ):
        found = ops.conv2d(x, w, padding=padding, algorithm=algorithm)
        near(found, window_sums(x, w, padding=sides))


@each("conv2d")
def test_stride_and_dilation_are_an_int_or_a_pair(algorithm):
    x, w = normal(1, 2, 11, 12), normal(3, 2, 3, 2, seed=1)
    for stride, dilation in ((2, 1), ((3, 1), 1), (1, 2), (1, (2, 5)), ((2, 3), (3, 2))):
        s = (stride, stride) if isinstance(stride, int) else stride
        d = (dilation, dilation) if isinstance(dilation, int) else dilation
        found = ops.conv2d(x, w, stride=stride, dilation=dilation, algorithm=algorithm)
        near(found, window_sums(x, w, stride=s, dilation=d))


@each("conv2d")
def test_groups_are_convolutions_side_by_side(algorithm):
    x, w = normal(2, 6, 5, 4), normal(9, 2, 3, 3, seed=1)
    found = ops.conv2d(x, w, groups=3, padding=1, algorithm=algorithm)
    for g in range(3):
        part = window_sums(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3], padding=((1, 1), (1, 1)))
        near(found[:, 3 * g : 3 * g + 3], part)


@each("conv2d")
def test_bias_and_relu_epilogue(algorithm):
    x, w, b = normal(2, 3, 5, 5), normal(4, 3, 3, 3, seed=1), normal(4, seed=2)
    y = window_sums(x, w) + b[:, None, None]
    near(ops.conv2d(x, w, b, algorithm=algorithm), y)
    near(ops.conv2d(x, w, b, epilogue="relu", algorithm=algorithm), np.maximum(y, 0))


@each("conv2d")
def test_nan_in_nan_out_and_only_where_its_window_is(algorithm):
    x, w = np.ones((1, 1, 5, 5)), np.ones((1, 1, 2, 2))
    x[0, 0, 2, 2] = np.nan
    for epilogue in ("", "relu"):
        y = ops.conv2d(x, w, epilogue=epilogue, algorithm=algorithm)
        assert np.argwhere(np.isnan(y[0, 0])).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_empty_batch_gives_empty_results_and_a_zero_weight_gradient(dtype):
    x, w, b = (np.ones(s, dtype) for s in ((0, 3, 7, 5), (4, 3, 3, 3), (4,)))
    for k in on_cpu("conv2d"):
        assert ops.conv2d(x, w, b, stride=2, algorithm=k.name).shape == (0, 4, 3, 2)
    dy = np.ones((0, 4, 5, 3), dtype)
    for k in on_cpu("conv2d_input"):
        assert ops.conv2d_input(dy, w, x.shape, algorithm=k.name).shape == x.shape
    for k in on_cpu("conv2d_weight"):
        dw = ops.conv2d_weight(x, dy, w.shape, algorithm=k.name)
        assert dw.shape == w.shape
        assert not dw.any()
        assert dw.dtype == dtype


@each("conv2d")
def test_one_dimension_is_a_height_of_one(algorithm):
    x, w = normal(2, 3, 1, 9), normal(4, 3, 1, 3, seed=1)
    found = ops.conv2d(x, w, padding=(0, 1), algorithm=algorithm)[0, 0, 0]
    channels = [np.correlate(x[0, c, 0], w[0, c, 0], "same") for c in range(3)]
    near(found, np.sum(channels, 0))


def test_arrays_that_are_not_contiguous_give_the_same_bits():
    x, w = normal(2, 5, 7, 3), normal(4, 3, 3, 5, seed=1)
    views = x.transpose(0, 3, 1, 2), w.transpose(0, 1, 3, 2)
    copies = [v.copy() for v in views]
    dy = normal(2, 4, 1, 10)[..., ::2]
    for call in (
        lambda dy, x, w: ops.conv2d(x, w),
        lambda dy, x, w: ops.conv2d_input(dy, w, x.shape),
        lambda dy, x, w: ops.conv2d_weight(x, dy, w.shape),
    ):
        assert call(dy, *views).tobytes() == call(dy.copy(), *copies).tobytes()


def test_kernels_are_given_contiguous_arrays(monkeypatch):
    op, seen = registry.get_op("conv2d"), []
    monkeypatch.setattr(op, "_kernels", op.kernels())
    monkeypatch.setattr(registry, "_CHOSEN", {})

    @op.kernel("notes", backend="numpy")
    def run(outs, ins, problem, work):
        seen.extend(array.flags.c_contiguous for array in (*outs, *ins))

    x, w, b = normal(2, 5, 7, 3).transpose(0, 3, 1, 2), normal(4, 3, 3, 6)[..., ::2], normal(8)[::2]
    ops.conv2d(x, w, b, algorithm="notes")
    assert seen == [True] * 4


@pytest.mark.parametrize("op", CONVS)
def test_inputs_are_never_changed_and_results_are_new(op):
    x, w, b = normal(2, 4, 5, 5), normal(4, 2, 3, 3, seed=1), normal(4, seed=2)
    dy = normal(2, 4, 5, 5, seed=3)
    given_arrays = {"conv2d": (x, w, b), "conv2d_input": (dy, w), "conv2d_weight": (x, dy)}[op]
    shape = {"conv2d": (), "conv2d_input": (x.shape,), "conv2d_weight": (w.shape,)}[op]
    before = [a.copy() for a in given_arrays]
    for a in given_arrays:
        a.flags.writeable = False
    for kernel in on_cpu(op):
        options = {"padding": 1, "groups": 2, "algorithm": kernel.name}
        result = getattr(ops, op)(*given_arrays, *shape, **options)
        assert not any(np.shares_memory(result, a) for a in given_arrays)
    for now, then in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(now, then)


# Random shapes


@st.composite
def problems(draw):
    sizes = st.integers(1, 3)
    groups, kernel, dilation = draw(sizes), (draw(sizes), draw(sizes)), (draw(sizes), draw(sizes))
    side = st.integers(0, 2)
    padding = ((draw(side), draw(side)), (draw(side), draw(side)))
    spans = [d * (k - 1) + 1 - sum(p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    image = [max(1, span) + draw(st.integers(0, 4)) for span in spans]
    n, cg, kg = draw(st.integers(0, 3)), draw(sizes), draw(sizes)
    options = {
        "stride": (draw(sizes), draw(sizes)),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    return (n, cg * groups, *image), (kg * groups, cg, *kernel), options


@settings(max_examples=25)
@given(problems())
def test_the_kernels_agree_with_each_other(problem):
    x_shape, w_shape, options = problem
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    y = ops.conv2d(x, w, **options)
    dy = normal(*y.shape, seed=2)
    for op, arguments in (
        ("conv2d", (x, w)),
        ("conv2d_input", (dy, w, x_shape)),
        ("conv2d_weight", (x, dy, w_shape)),
    ):
        results = [
            getattr(ops, op)(*arguments, **options, algorithm=kernel.name) for kernel in on_cpu(op)
        ]
        assert len(results) >= 2
        for result in results[1:]:
            near(result, results[0])


@settings(max_examples=25)
@given(problems())
def test_the_gradients_are_the_adjoints(problem):
    x_shape, w_shape, options = problem
    x, w = normal(*x_shape), normal(*w_shape, seed=1)
    y = ops.conv2d(x, w, **options)
    dy = normal(*y.shape, seed=2)
    product = np.vdot(y, dy)
    scale = 1 + np.abs(y).sum()
    assert abs(product - np.vdot(x, ops.conv2d_input(dy, w, x_shape, **options))) < 1e-12 * scale
    dw = ops.conv2d_weight(x, dy, w_shape, **options)
    assert abs(product - np.vdot(w, dw)) < 1e-12 * scale


# Workspace


def vgg(op, n=8):
    """The second convolution of VGG: its column matrix has 576 x 50176 numbers per image."""
    return registry.get_op(op).problem(n, 64, 224, 224, 64, 3, 3, padding=((1, 1), (1, 1)))


@pytest.mark.parametrize("op", CONVS)
def test_the_column_matrix_of_a_batch_is_never_held(op):
    here = device.get("cpu")
    for kernel in on_cpu(op):
        if "cpu" not in kernel.devices:
            continue
        sizes = {n: kernel.workspace(vgg(op, n), here) for n in (1, 8, 64)}
        assert sizes[1] == sizes[8] == sizes[64] < 64 << 20, kernel.name
    assert 4 * 576 * 224 * 224 > 100 << 20


@each("conv2d")
def test_a_workspace_limit_is_kept_or_refused(algorithm):
    x, w = normal(1, 2, 6, 6), normal(2, 2, 3, 3)
    kernel = registry.choose(
        registry.get_op("conv2d"), _problem(x, w), device.get("cpu"), algorithm
    )
    size = kernel.workspace(_problem(x, w), device.get("cpu"))
    with limits(max_workspace=size):
        ops.conv2d(x, w, algorithm=algorithm)
    with limits(max_workspace=size - 1), pytest.raises(registry.KernelError, match="workspace"):
        ops.conv2d(x, w, algorithm=algorithm)


def _problem(x, w):
    return registry.get_op("conv2d").problem(*x.shape, len(w), *w.shape[2:], dtype="float64")


@pytest.mark.parametrize("op", CONVS)
def test_blocks_of_any_size_give_the_same_numbers(op, monkeypatch):
    x, w, dy = normal(3, 4, 9, 7), normal(6, 2, 3, 3, seed=1), normal(3, 6, 5, 4, seed=2)
    arguments = {
        "conv2d": (x, w),
        "conv2d_input": (dy, w, x.shape),
        "conv2d_weight": (x, dy, w.shape),
    }[op]
    options = {"stride": 2, "padding": 1, "groups": 2}
    for kernel in on_cpu(op):
        if kernel.backend != "numpy":
            continue
        whole = getattr(ops, op)(*arguments, **options, algorithm=kernel.name)
        for target in (1, 2000, 9000):  # one row, some rows, some images at once
            monkeypatch.setattr(_numpy, "TARGET", target)
            near(getattr(ops, op)(*arguments, **options, algorithm=kernel.name), whole)
        monkeypatch.undo()
