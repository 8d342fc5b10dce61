"""Output sizes against a count of the places where a window starts, and the forms of options."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuconv import shapes
from gpuconv.errors import OptionError, ShapeError

AXIS = {
    "size": st.integers(1, 12),
    "kernel": st.integers(1, 5),
    "stride": st.integers(1, 5),
    "padding": st.tuples(st.integers(0, 3), st.integers(0, 3)),
    "dilation": st.integers(1, 3),
}


def starts(size, kernel, stride, padding, dilation):
    """Where a whole window starts in the padded axis, found by trying every place."""
    padded = range(size + sum(padding))
    last = [start + dilation * (kernel - 1) for start in padded]
    return [s for s, end in zip(padded, last, strict=True) if end in padded and s % stride == 0]


@given(**AXIS)
def test_conv_size_counts_whole_windows(size, kernel, stride, padding, dilation):
    expected = len(starts(size, kernel, stride, padding, dilation))
    found = shapes.conv_size(size, kernel, stride, padding, dilation)
    assert max(found, 0) == expected
    assert shapes.pool_size(size, kernel, stride, padding, dilation, False) == found


@given(**AXIS)
def test_ceil_mode_covers_the_rest_and_drops_a_window_beyond_the_input(
    size, kernel, stride, padding, dilation
):
    windows = starts(size, kernel, stride, padding, dilation)
    found = shapes.pool_size(size, kernel, stride, padding, dilation, True)
    if not windows:
        assert found <= 0
        return
    if windows[-1] + dilation * (kernel - 1) < size + sum(padding) - 1:
        windows.append(windows[-1] + stride)
    if windows[-1] >= size + padding[0]:
        windows.pop()
    assert found == len(windows)


@pytest.mark.parametrize(
    ("case", "expected"),
    [  # pooling_output_shape of aten/src/ATen/native/Pool.h, worked by hand
        ((5, 2, 2, (0, 0), 1), 3),
        ((6, 3, 2, (0, 0), 1), 3),
        ((4, 1, 2, (0, 0), 1), 2),
        ((5, 3, 3, (1, 1), 1), 2),
        ((3, 2, 3, (1, 1), 1), 2),
        ((2, 2, 3, (1, 1), 1), 1),
        ((8, 2, 2, (0, 0), 2), 4),
    ],
)
def test_ceil_mode_as_pytorch(case, expected):
    assert shapes.pool_size(*case, True) == expected


@pytest.mark.parametrize(("kernel", "dilation", "extent"), [(1, 9, 1), (3, 1, 3), (3, 2, 5)])
def test_window_extent(kernel, dilation, extent):
    assert shapes.window_extent(kernel, dilation) == extent


@settings(max_examples=25)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_padding_forms(top, bottom, left, right):
    assert shapes.padding4(top) == ((top, top), (top, top))
    assert shapes.padding4((top, left)) == ((top, top), (left, left))
    four = ((top, bottom), (left, right))
    assert shapes.padding4(four) == four
    assert shapes.padding4([list(four[0]), list(four[1])]) == four


def test_numbers_of_numpy_become_python_ints():
    values = shapes.pair((np.int64(2), np.uint8(3)), "stride")
    assert values == (2, 3)
    assert all(type(v) is int for v in values)


BAD = [True, 1.0, "3", None, (1,), (1, 2, 3), (1, 2.5), (True, 1), -1, (2, -1), np.True_]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_what_is_no_pair_is_refused_by_name(value):
    with pytest.raises(OptionError, match="^conv2d: stride must be an int"):
        shapes.pair(value, "conv2d: stride")


@pytest.mark.parametrize("value", [*BAD, ((1, 1), (1, -1)), ((1,), (1, 1)), "same"], ids=repr)
def test_what_is_no_padding_is_refused_by_name(value):
    with pytest.raises(OptionError, match="^conv2d: padding must be an int"):
        shapes.padding4(value, "conv2d: padding")


@pytest.mark.parametrize("value", [0, -3, True, 2.0])
def test_integer_has_a_minimum(value):
    with pytest.raises(OptionError, match="groups must be an integer"):
        shapes.integer(value, "groups", 1)
    assert shapes.integer(1, "groups", 1) == 1


def test_a_number_that_an_index_cannot_hold_is_refused():
    assert shapes.pair(2**30, "stride") == (2**30, 2**30)
    for value in (10**30, 2**30 + 1, (1, 2**30 + 1)):
        with pytest.raises(OptionError, match=r"^stride must be an integer <= 1073741824, got 1"):
            shapes.pair(value, "stride")
    with pytest.raises(OptionError, match=r"^padding must be an integer <= 1073741824, got 1000"):
        shapes.padding4(((0, 10**30), (0, 0)), "padding")


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), 10**400, -1, 2.5])
def test_what_is_no_real_number_is_refused_by_name(value):
    with pytest.raises(OptionError, match="^lr must be a finite number >= 0 and <= 2, got "):
        shapes.real(value, "lr", 0.0, 2.0)


def test_real_numbers_become_floats():
    found = [shapes.real(value, "lr") for value in (1, np.float32(0.5), np.int8(-3))]
    assert found == [1.0, 0.5, -3.0]
    assert {type(value) for value in found} == {float}


def test_a_window_that_does_not_fit_is_refused_with_all_its_numbers():
    shapes.require_fit("conv2d", "the height", 5, 3, (0, 0), 2)
    with pytest.raises(ShapeError) as caught:
        shapes.require_fit("conv2d", "the height", 4, 3, (0, 0), 2)
    assert str(caught.value) == (
        "conv2d: the window spans 5 elements along the height (kernel_size 3, dilation 2) but the "
        "padded input has 4 (4 + padding 0 + 0); use a larger input, more padding or a smaller "
        "kernel"
    )
