"""ConvTranspose2d and Conv1d against plain loops, Dropout2d against its definition."""

import numpy as np
import pytest

from gpuconv.errors import OptionError, ShapeError
from gpuconv.layers import Conv1d, ConvTranspose2d, Dropout2d
from gpuconv.random import Stream

OPTIONS = [
    {},
    {"stride": 2, "output_padding": 1},
    {"stride": (3, 2), "padding": (1, 2), "output_padding": (2, 0), "groups": 2},
    {"stride": 2, "padding": ((1, 0), (0, 2)), "dilation": (2, 3), "groups": 4, "bias": False},
]


def made(layer):
    """In float64, with a bias that is not zero."""
    layer.initialize(1).astype("float64")
    if layer.bias is not None:
        layer.bias.value = Stream(2).normal(layer.bias.shape)
    return layer


def spread(x, layer):
    """Every input element times its filter, added where PyTorch's page on the layer puts it."""
    (sh, sw), groups = layer.options["stride"], layer.options["groups"]
    (dh, dw), ((top, _), (left, _)) = layer.options["dilation"], layer.options["padding"]
    y, weight = np.zeros(layer.output_shape(x.shape)), layer.weight.value
    _, kg, r, s = weight.shape
    for n, c, h, w in np.ndindex(x.shape):
        first = c // (x.shape[1] // groups) * kg
        for k, i, j in np.ndindex(kg, r, s):
            p, q = h * sh + i * dh - top, w * sw + j * dw - left
            if 0 <= p < y.shape[2] and 0 <= q < y.shape[3]:
                y[n, first + k, p, q] += x[n, c, h, w] * weight[c, k, i, j]
    return y if layer.bias is None else y + layer.bias.value[:, None, None]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_transposed_convolution_spreads_its_input(options):
    layer = made(ConvTranspose2d(4, 8, (3, 2), **options))
    x = Stream(3).normal((2, 4, 4, 5))
    np.testing.assert_allclose(layer(x), spread(x, layer), rtol=0, atol=1e-12)


def test_a_transposed_convolution_undoes_the_shape_of_a_convolution():
    layer = ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1)
    assert layer.output_shape((5, 3, 14, 7)) == (5, 2, 28, 14)
    assert layer.flops((5, 3, 14, 7)) == 2 * 5 * 3 * 14 * 7 * 9 * 2


def test_a_bias_is_added_with_one_rounding():
    plain, biased = (ConvTranspose2d(3, 4, 2, bias=bias).initialize(5) for bias in (False, True))
    biased.bias.value = Stream(4).normal((4,)).astype(np.float32)
    x = Stream(3).normal((2, 3, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(biased(x), plain(x) + biased.bias.value[:, None, None])


@pytest.mark.parametrize("padding", [0, 2, (0, 3)])
def test_a_convolution_along_one_axis_is_a_correlation(padding):
    layer = made(Conv1d(1, 1, 3, padding=padding))
    x = Stream(3).normal((1, 1, 9))
    before, after = padding if isinstance(padding, tuple) else (padding, padding)
    padded = np.pad(x[0, 0], (before, after))
    expected = np.correlate(padded, layer.weight.value[0, 0], "valid") + layer.bias.value
    np.testing.assert_allclose(layer(x)[0, 0], expected, rtol=0, atol=1e-13)


def test_dropout_takes_whole_maps():
    x = np.ones((20, 30, 3, 2), np.float32)
    y, _ = Dropout2d(0.25).forward(x, train=True, rng=Stream(1))
    maps = y.reshape(600, 6)
    assert (maps == maps[:, :1]).all()
    assert set(np.unique(maps)) == {np.float32(0), np.float32(4 / 3)}
    assert abs((maps[:, 0] == 0).mean() - 0.25) < 0.06
    np.testing.assert_array_equal(Dropout2d(0.25)(x), x)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"output_padding": 1},
            r"output_padding \(1, 1\) must be smaller than the stride \(1, 1\)",
        ),
        ({"groups": 2}, "groups=2 must divide 3 input and 2 outputs"),
        ({"stride": 0}, "ConvTranspose2d: stride must be an integer >= 1"),
        ({"dilation": 1.5}, "ConvTranspose2d: dilation must be an integer"),
    ],
)
def test_bad_options_of_a_transposed_convolution(options, text):
    with pytest.raises(OptionError, match=text):
        ConvTranspose2d(3, 2, 3, **options)


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (
            ConvTranspose2d(3, 2, 3),
            (2, 4, 5, 5),
            "conv_transpose2d: input has 4 channels, expected",
        ),
        (ConvTranspose2d(3, 2, 3), (3, 5, 5), r"input has shape \(3, 5, 5\); expected \(N, C, H"),
        (ConvTranspose2d(3, 2, 1, padding=3), (1, 3, 5, 5), r"gives an image \(-1, -1\)"),
        (Conv1d(3, 2, 3), (2, 3, 5, 5), r"conv1d: input has shape .*; expected \(N, C, L\)"),
        (Dropout2d(), (5,), r"dropout2d: input has shape \(5,\); expected \(N, C, ...\)"),
    ],
)
def test_inputs_that_do_not_fit(layer, shape, text):
    with pytest.raises(ShapeError, match=text):
        layer(np.zeros(shape, np.float32))
    with pytest.raises(ShapeError, match=text):
        layer.output_shape(shape)


def test_bad_sizes_of_a_convolution_along_one_axis():
    with pytest.raises(OptionError, match="Conv1d: kernel_size must be an integer, got"):
        Conv1d(3, 2, (3, 3))
