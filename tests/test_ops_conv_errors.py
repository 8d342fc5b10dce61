"""Bad input of the convolutions: a typed error that names the op and says what to do."""

import numpy as np
import pytest

from gpuconv import ops
from gpuconv.errors import DeviceError, DtypeError, KernelError, OptionError, ShapeError


def zeros(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


X, W, DY = zeros(2, 3, 8, 8), zeros(4, 3, 3, 3), zeros(2, 4, 6, 6)

CALLS = {
    "conv2d": lambda **options: ops.conv2d(X, W, **options),
    "conv2d_input": lambda **options: ops.conv2d_input(DY, W, X.shape, **options),
    "conv2d_weight": lambda **options: ops.conv2d_weight(X, DY, W.shape, **options),
}


def test_channels_that_do_not_match_the_weight():
    with pytest.raises(ShapeError) as caught:
        ops.conv2d(zeros(2, 2, 8, 8), W)
    assert str(caught.value) == (
        "conv2d: input has 2 channels but weight (4, 3, 3, 3) with groups=1 expects 3"
    )
    with pytest.raises(ShapeError) as caught:
        ops.conv2d_input(DY, W, (2, 6, 8, 8))
    assert str(caught.value) == (
        "conv2d_input: input has 6 channels but weight (4, 3, 3, 3) with groups=1 expects 3"
    )


def test_a_kernel_larger_than_the_padded_input():
    with pytest.raises(ShapeError) as caught:
        ops.conv2d(zeros(1, 3, 5, 9), zeros(4, 3, 5, 5), padding=(1, 0), dilation=2)
    assert str(caught.value) == (
        "conv2d: the window spans 9 elements along the height (kernel_size 5, dilation 2) but the "
        "padded input has 7 (5 + padding 1 + 1); use a larger input, more padding or a smaller "
        "kernel"
    )
    with pytest.raises(ShapeError, match="along the width .* padded input has 2"):
        ops.conv2d(zeros(1, 3, 5, 2), W)


@pytest.mark.parametrize("op", CALLS)
def test_groups_that_do_not_divide(op):
    with pytest.raises(ShapeError, match=f"^{op}: groups=3 does not divide the 4 output channels"):
        CALLS[op](groups=3)
    with pytest.raises(ShapeError, match=f"^{op}: input has 3 channels but .*groups=2 expects 6"):
        CALLS[op](groups=2)


@pytest.mark.parametrize("op", CALLS)
def test_an_unknown_algorithm_lists_the_known(op):
    with pytest.raises(KernelError) as caught:
        CALLS[op](algorithm="fourier")
    assert str(caught.value).startswith(f"{op}: no kernel named 'fourier' on cpu; registered: ")
    assert "numpy:direct" in str(caught.value)
    assert "numpy:im2col" in str(caught.value)


@pytest.mark.parametrize("op", CALLS)
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"padding": -1}, "padding must be an integer >= 0, got -1"),
        ({"padding": ((0, 0), (0, -2))}, "padding must be an integer >= 0, got -2"),
        (
            {"padding": (1, 2, 3)},
            "padding must be an int, (h, w) or ((top, bottom), (left, right))",
        ),
        ({"padding": "same"}, "padding must be an integer, got 'same'"),
        ({"stride": True}, "stride must be an integer >= 1, got True"),
        ({"stride": 0}, "stride must be an integer >= 1, got 0"),
        ({"stride": 1.5}, "stride must be an integer, got 1.5"),
        ({"stride": (1, 2, 3)}, "stride must be an int or (h, w), got (1, 2, 3)"),
        ({"dilation": 0}, "dilation must be an integer >= 1, got 0"),
        ({"groups": 0}, "groups must be an integer >= 1, got 0"),
        ({"groups": False}, "groups must be an integer >= 1, got False"),
    ],
)
def test_bad_options(op, options, text):
    with pytest.raises(OptionError) as caught:
        CALLS[op](**options)
    assert str(caught.value).startswith(f"{op}: {text}")


def test_an_unknown_epilogue():
    with pytest.raises(OptionError, match="conv2d: unknown epilogue 'gelu'; expected '' or 'relu'"):
        ops.conv2d(X, W, epilogue="gelu")


@pytest.mark.parametrize("dtype", ["float16", "int64", "uint8", "complex64", "bool"])
def test_other_dtypes(dtype):
    text = f"is {dtype}; expected float32 or float64"
    with pytest.raises(DtypeError, match=f"conv2d: x {text}.*x.astype"):
        ops.conv2d(X.astype(dtype), W)
    with pytest.raises(DtypeError, match=f"conv2d: weight {text}"):
        ops.conv2d(X, W.astype(dtype))
    with pytest.raises(DtypeError, match=f"conv2d_input: dy {text}"):
        ops.conv2d_input(DY.astype(dtype), W, X.shape)
    with pytest.raises(DtypeError, match=f"conv2d_weight: x {text}"):
        ops.conv2d_weight(X.astype(dtype), DY, W.shape)


def test_mixed_dtypes():
    wide = W.astype("float64")
    with pytest.raises(DtypeError) as caught:
        ops.conv2d(X, wide)
    assert str(caught.value) == (
        "conv2d: weight is float64, expected float32 as the other arrays have it "
        "(convert it with weight.astype('float32'))"
    )
    with pytest.raises(DtypeError, match="conv2d: bias is float64, expected float32"):
        ops.conv2d(X, W, np.zeros(4))
    with pytest.raises(DtypeError, match="conv2d_input: weight is float64, expected float32"):
        ops.conv2d_input(DY, wide, X.shape)
    with pytest.raises(DtypeError, match="conv2d_weight: dy is float64, expected float32"):
        ops.conv2d_weight(X, DY.astype("float64"), W.shape)


def test_what_is_no_array():
    with pytest.raises(DeviceError, match="conv2d: x is a builtins.list; expected a numpy.ndarray"):
        ops.conv2d(X.tolist(), W)
    with pytest.raises(DeviceError, match="conv2d: bias is a builtins.list"):
        ops.conv2d(X, W, [0.0] * 4)
    with pytest.raises(DeviceError, match="conv2d_weight: dy is a builtins.NoneType"):
        ops.conv2d_weight(X, None, W.shape)
    with pytest.raises(DeviceError, match=r"conv2d: x is a numpy.ma.*\.MaskedArray"):
        ops.conv2d(np.ma.masked_array(X), W)


def test_shapes_of_the_wrong_rank_or_empty():
    with pytest.raises(ShapeError, match=r"conv2d: input has shape \(3, 8, 8\); expected 4 dim"):
        ops.conv2d(X[0], W)
    with pytest.raises(ShapeError, match=r"conv2d: weight has shape \(3, 3, 3\); expected 4 dim"):
        ops.conv2d(X, W[0])
    with pytest.raises(ShapeError, match=r"\(2, 3, 0, 8\); only the batch may be empty"):
        ops.conv2d(zeros(2, 3, 0, 8), W)
    with pytest.raises(ShapeError, match=r"weight has shape \(0, 3, 3, 3\); only the batch"):
        ops.conv2d(X, W[:0])


def test_a_bias_or_gradient_of_the_wrong_shape():
    with pytest.raises(ShapeError, match=r"conv2d: bias has shape \(3,\), expected \(4,\)"):
        ops.conv2d(X, W, zeros(3))
    text = r"dy has shape \(2, 4, 6, 6\), expected \(2, 4, 8, 8\)"
    with pytest.raises(ShapeError, match=f"conv2d_input: {text}"):
        ops.conv2d_input(DY, W, X.shape, padding=1)
    with pytest.raises(ShapeError, match=f"conv2d_weight: {text}"):
        ops.conv2d_weight(X, DY, W.shape, padding=1)


@pytest.mark.parametrize("shape", [7, (2, 3, 8.0, 8), (2, 3, -8, 8), (2, 3, 8), "abcd", None])
def test_result_shapes_that_are_none(shape):
    with pytest.raises((ShapeError, OptionError), match="^conv2d_input: input"):
        ops.conv2d_input(DY, W, shape)
    with pytest.raises((ShapeError, OptionError), match="^conv2d_weight: weight"):
        ops.conv2d_weight(X, DY, shape)
