"""The CPU's linear layers where the battery's small cases do not reach, and gradients in place."""

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import battery, cpu, device, ops
from gpuconv.errors import DtypeError, OptionError, ShapeError
from gpuconv.kernels.linear.op import LinearProblem
from gpuconv.layers import Conv2d, Flatten, Linear
from gpuconv.registry import get_op

SHAPES = {  # (rows, inputs, outputs), and what each is here for
    "one row": (1, 300, 70),
    "few rows": (3, 1100, 31),
    "chunks of few": (5, 1100, 9),
    "many of few": (4, 77, 6),
    "whole tiles": (12, 64, 48),
    "corners": (13, 1061, 53),
    "rows of several blocks": (70, 40, 30),
    "chunks of outputs": (5, 33, 203),
    "blocks of inputs": (4, 2100, 7),
    "chunks and blocks, across": (9, 700, 203),
    "strips of the batch": (28, 50, 130),
    "few of everything": (2, 3, 2),
    "a long batch": (1030, 17, 9),
}
OPS = ("linear", "linear_input", "linear_weight")


def _kernel(op, name):
    (found,) = (k for k in get_op(op).kernels() if k.name == name)
    return found


def _close(op, problem):
    declared, kernel = get_op(op), _kernel(op, "numba:tiled")
    arrays = battery.draw(declared, problem)
    got, again = (
        battery.outs_of(declared, kernel, problem, device.CPU, arrays, fill)[0]
        for fill in battery.FILLS
    )
    wide, matmul = problem.astype("float64"), _kernel(op, "numpy:matmul")
    double = [a.astype("float64") for a in arrays]
    want, scale = (
        battery.outs_of(declared, matmul, wide, device.CPU, given)[0]
        for given in (double, [abs(a) for a in double])
    )
    battery.compare(op, got, want, scale, kernel.error, problem)
    assert got.tobytes() == again.tobytes()
    return got.tobytes()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("sizes", SHAPES.values(), ids=list(SHAPES))
def test_shapes_that_fill_tiles(op, sizes):
    _close(op, LinearProblem(*sizes))


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("level", list(cpu.simd.WIDTHS))
def test_every_width(monkeypatch, level, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    _close(op, LinearProblem(*SHAPES["corners"]))


@pytest.mark.parametrize("op", OPS)
def test_bits_do_not_depend_on_threads(op):
    before, bits = cpu.get_num_threads(), set()
    for threads in (1, 2):
        cpu.set_num_threads(threads)
        try:
            bits.add(_close(op, LinearProblem(*SHAPES["corners"])))
        finally:
            cpu.set_num_threads(before)
    assert len(bits) == 1


def test_nan_stays_in_its_row_and_passes_relu():
    x, w = np.ones((7, 41), np.float32), -np.ones((6, 41), np.float32)
    x[3, 40] = np.nan
    y = ops.linear(x, w, epilogue="relu", algorithm="numba:tiled")
    assert np.isnan(y[3]).all()
    assert np.isnan(y).sum() == 6
    assert (np.nan_to_num(y) == 0).all()


def test_a_weight_gradient_fills_the_given_array():
    x, dy, out = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32), np.empty((4, 3), "f4")
    assert ops.linear_weight(x, dy, out=out) is out
    assert (out == 2).all()
    image, slope = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.float32)
    made = np.empty((1, 1, 3, 3), np.float32)
    assert ops.conv2d_weight(image, slope, made.shape, out=made) is made
    assert (made == 1).all()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty((3, 4), np.float32), ShapeError),
        (np.empty((4, 3), np.float64), DtypeError),
        (np.empty((3, 4), np.float32).T, ShapeError),
        (np.broadcast_to(np.float32(1), (4, 3)), ShapeError),
    ],
)
def test_bad_places_are_refused(out, error):
    x, dy = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    with pytest.raises(error, match="linear_weight: out"):
        ops.linear_weight(x, dy, out=out)


def test_a_place_that_is_an_input_is_refused():
    x = np.ones((3, 3), np.float32)
    with pytest.raises(OptionError, match="linear_weight: out shares memory with an input"):
        ops.linear_weight(x, np.ones((3, 3), np.float32), out=x)


def _step(net, x):
    """Gradients of one backward pass, as bytes."""
    y, saved = net.forward(x, train=True)
    net.backward(np.ones_like(y), saved)
    return [p.grad.tobytes() for p in net.parameters()]


def _net():
    return gcv.Sequential(Conv2d(1, 2, 3), Flatten(), Linear(2 * 5 * 5, 4))


def test_weight_gradients_are_written_where_the_optimiser_reads_them(monkeypatch):
    x = np.linspace(-1, 1, 3 * 49, dtype=np.float32).reshape(3, 1, 7, 7)
    want = _step(_net(), x)
    net = _net()
    gcv.SGD(net.parameters(), lr=0.1)
    given, real = [], gcv.layers.Parameter.add_grad
    note = lambda self, gradient: given.append(gradient is self._slot) or real(self, gradient)  # noqa: E731
    monkeypatch.setattr(gcv.layers.Parameter, "add_grad", note)
    assert _step(net, x) == want
    assert given == [True] * 4
    twice = [2 * np.frombuffer(bits, np.float32) for bits in want]
    for got, expected in zip(_step(net, x), twice, strict=True):
        np.testing.assert_array_equal(np.frombuffer(got, np.float32), expected)
