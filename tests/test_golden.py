"""Numbers worked out by others, met exactly by every registered kernel that takes them.

A kernel that refuses them says why, and that others would take them. One that rounds by planes, as
transforms do, meets whole numbers within its declared error.
"""

import golden_numbers as golden
import numpy as np
import pytest
from devices import everywhere

from gpuconv import device, ops
from gpuconv.errors import KernelError
from gpuconv.ops import pool

OPTIONS = {"stride": 2, "padding": 1}


def kernels(op):
    """A function that calls an op, for every kernel, device and dtype."""
    for case in everywhere(op):
        ((kernel, kind),) = case.values
        for dtype in ("float32", "float64"):
            call = _caller(kernel, device.Device(kind), dtype)
            yield pytest.param(call, id=f"{case.id}-{dtype}", marks=case.marks)


def _caller(kernel, here, dtype):
    def call(function, *arrays, **options):
        moved = [
            device.to_device(np.asarray(a, dtype), here) if isinstance(a, list | np.ndarray) else a
            for a in arrays
        ]
        refusal = ""
        try:
            result = function(*moved, algorithm=kernel.name, **options)
        except KernelError as error:
            refusal = str(error)
            result = function(*moved, **options)
        assert not refusal or (f"{kernel.name}: " in refusal and "these would work" in refusal)
        assert result.dtype.name == dtype
        made = device.to_numpy(result)
        return (made if kernel.bound == "element" else _whole(made)).tolist()

    return call


def _whole(made):
    whole = np.rint(made)
    np.testing.assert_allclose(made, whole, rtol=0, atol=1e-6 * np.abs(whole).max())
    return whole


def each(op):
    return pytest.mark.parametrize("call", list(kernels(op)))


@each("conv2d")
def test_one_dimension_is_correlated(call):
    found = call(ops.conv2d, [[[golden.SIGNAL]]], [[[golden.FILTER]]])
    assert found == [[[golden.CORRELATED]]] != [[[golden.CONVOLVED]]]


@each("conv2d")
def test_fragment_with_308(call):
    x, w = [[golden.FRAGMENT]], [[golden.FRAGMENT_KERNEL]]
    assert call(ops.conv2d, x, w) == [[golden.FRAGMENT_OUT]]
    assert golden.FRAGMENT_OUT[0][0] == 308
    inner = [[[row[1:] for row in golden.FRAGMENT[1:]]]]
    assert call(ops.conv2d, inner, w, padding=((1, 0), (1, 0))) == [[golden.FRAGMENT_OUT]]


@each("conv2d")
def test_wrong_conventions_give_other_numbers(call):
    for turn, corner, volume in (
        (lambda w: w[..., ::-1, ::-1], golden.FRAGMENT_FLIPPED, golden.FLIPPED),
        (lambda w: w.swapaxes(-1, -2), golden.FRAGMENT_TRANSPOSED, golden.TRANSPOSED),
    ):
        kernel = turn(np.asarray([[golden.FRAGMENT_KERNEL]]))
        found = call(ops.conv2d, [[golden.FRAGMENT]], kernel)
        assert found[0][0][0][0] == corner != golden.FRAGMENT_OUT[0][0]
        found = call(ops.conv2d, [golden.X], turn(np.asarray(golden.W)), golden.BIAS, **OPTIONS)
        assert found == [volume] != [golden.OUT]


@each("conv2d")
def test_volume(call):
    found = call(ops.conv2d, [golden.X], golden.W, golden.BIAS, **OPTIONS)
    assert found == [golden.OUT]


@each("conv2d")
def test_volume_at_stride_1(call):
    found = call(ops.conv2d, [golden.X], golden.W, golden.BIAS, padding=1)
    assert found == [golden.OUT_STRIDE_1]
    assert np.asarray(found)[0, :, ::2, ::2].tolist() == golden.OUT


@each("conv2d")
def test_misprinted_listing_does_not_give_the_printed_numbers(call):
    w = np.asarray(golden.W)
    w[0, 2, 0] = golden.MISPRINTED_ROW
    (found,) = call(ops.conv2d, [golden.X], w, golden.BIAS, **OPTIONS)
    assert found == [golden.MISPRINTED_OUT0, golden.OUT[1]]
    assert np.not_equal(found[0], golden.OUT[0]).sum() == 5


@each("conv2d")
def test_relu_epilogue(call):
    options = OPTIONS | {"epilogue": "relu"}
    assert call(ops.conv2d, [golden.X], golden.W, golden.BIAS, **options) == [golden.RELU]


@each("conv2d_input")
def test_data_gradient(call):
    dx = call(ops.conv2d_input, [golden.DY], golden.W, (1, 3, 5, 5), **OPTIONS)
    assert dx == [golden.DX]


@each("conv2d_weight")
def test_weight_gradient(call):
    dw = call(ops.conv2d_weight, [golden.X], [golden.DY], (2, 3, 3, 3), **OPTIONS)
    assert dw == golden.DW
    ones = np.ones((1, 2, 3, 3))
    dw = call(ops.conv2d_weight, [golden.X], ones, (2, 3, 3, 3), **OPTIONS)
    assert dw == [golden.DW_ONES, golden.DW_ONES]


@each("channel_sum")
def test_bias_gradient(call):
    assert call(ops.channel_sum, [golden.DY]) == golden.DB
    assert call(ops.channel_sum, np.ones((1, 2, 3, 3))) == golden.DB_ONES


@each("relu")
def test_relu(call):
    assert call(ops.relu, [golden.OUT]) == [golden.RELU]


@each("max_pool2d")
def test_max_pooling(call):
    assert call(pool.max_pool2d, [golden.OUT], 2, 1) == [golden.MAX]
    assert call(pool.max_pool2d, [golden.OUT], 3) == [golden.GLOBAL_MAX]


@each("avg_pool2d")
def test_average_pooling(call):
    assert call(pool.avg_pool2d, [golden.OUT], 2, 1) == [golden.AVERAGE]
    nine = 9 * np.asarray(call(pool.avg_pool2d, [golden.OUT], 3))
    # A ninth is no binary fraction: the mean is rounded, its nine-fold lies within 4 roundings.
    assert np.abs(nine - [golden.GLOBAL_SUM]).max() <= 52 * 4 * 2.0**-23


@pytest.mark.parametrize(
    ("kernel", "padding", "stride", "expected"),
    [(3, 1, 2, 3), (3, 0, 1, 3), (3, 1, 1, 5), (1, 0, 2, 3), (5, 0, 1, 1), (2, 0, 2, 2)],
)
def test_output_size_formula(kernel, padding, stride, expected):
    assert (5 - kernel + 2 * padding) // stride + 1 == expected
    x, w = np.zeros((1, 1, 5, 5), "float32"), np.zeros((4, 1, kernel, kernel), "float32")
    y = ops.conv2d(x, w, stride=stride, padding=padding)
    assert y.shape == (1, 4, expected, expected)
