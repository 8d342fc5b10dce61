"""The CPU's elementwise kernels where the battery's cases do not reach: pieces, widths, bits."""

import numpy as np
import pytest

from gpuconv import battery, cpu, device, ops, registry
from gpuconv.cpu import formula
from gpuconv.kernels.elementwise import PLACE
from gpuconv.random import Stream
from gpuconv.registry import get_op

MANY = 3 * cpu.pointwise.PIECE + cpu.pointwise.SMALL + 41  # several pieces, and a rest
TINY = np.float32(2.0**-149)


def _reals(low, high):
    grid = np.linspace(low, high, 60001)
    near = np.logspace(-44, np.log10(min(-low, high) or 1.0), 4001)
    return np.concatenate([grid, near, -near, [0.0]]).astype(np.float32)


FUNCTIONS = {  # name: function, float64's, arguments, units in the last place
    "exp": (formula.exp, np.exp, _reals(-106, 90), 1.1),
    "decay": (formula.decay, np.exp, -abs(_reals(-110, 110)), 1.1),
    "expm1": (formula.expm1, np.expm1, -abs(_reals(-40, 40)), 1.5),
    "tanh": (formula.tanh, np.tanh, _reals(-12, 12), 3.0),
    "sigmoid": (formula.sigmoid, lambda x: 1 / (1 + np.exp(-x)), _reals(-105, 90), 3.0),
    "log1p": (formula.log1p, np.log1p, abs(_reals(-1, 1)), 2.5),
    "log": (formula.log, np.log, 1 + abs(_reals(-1e5, 1e5)), 2.5),
}


def _of(function, x):
    y = np.empty_like(x)
    cpu.Pointwise(function, 1)((y,), (x,))
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_are_within_a_few_units(name):
    function, exact, x, allowed = FUNCTIONS[name]
    with np.errstate(over="ignore", under="ignore"):
        want = exact(x.astype(np.float64))
        unit = np.maximum(np.spacing(np.abs(want).astype(np.float32)), TINY)
    got = _of(function, x)
    is_finite = np.abs(want) <= np.finfo(np.float32).max
    error = np.abs(got[is_finite] - want[is_finite]) / unit[is_finite]
    assert error.max() <= allowed
    assert np.isinf(got[~is_finite]).all()


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("exp", (0.0, np.inf)),
        ("tanh", (-1.0, 1.0)),
        ("sigmoid", (0.0, 1.0)),
        ("decay", (0.0, None)),
        ("expm1", (-1.0, None)),
        ("log", (None, np.inf)),
    ],
)
def test_elementary_functions_of_nan_and_infinity(name, limits):
    function = FUNCTIONS[name][0]
    for x, want in zip((-np.inf, np.inf), limits, strict=True):
        if want is not None:
            assert _of(function, np.float32([x]))[0] == want
    assert np.isnan(_of(function, np.full(9, np.nan, np.float32))).all()


def test_zeros_keep_their_sign():
    zeros = np.float32([0.0, -0.0])
    for function in (formula.tanh, formula.expm1):
        assert np.signbit(_of(function, zeros)).tolist() == [False, True]


def _both(op, problem, arrays, names):
    outs = [
        battery.outs_of(get_op(op), kernel, problem, device.CPU, arrays)
        for name in names
        for kernel in get_op(op).kernels()
        if kernel.name == name
    ]
    assert len(outs) == len(names)
    return outs


EXACT = {  # ops whose results have NumPy's very bits
    "relu": ("numba:vectors", "numpy:masked"),
    "relu_backward": ("numba:vectors", "numpy:masked"),
    "add": ("numba:vectors", "numpy:ufunc"),
    "accumulate": ("numba:vectors", "numpy:ufunc"),
    "dropout": ("numba:philox", "numpy:philox"),
    "rrelu": ("numba:philox", "numpy:philox"),
}


@pytest.mark.parametrize("op", EXACT)
@pytest.mark.parametrize("size", [MANY, 67, 31, 4])
@pytest.mark.parametrize("level", list(cpu.simd.WIDTHS))
def test_the_bits_of_numpy_whatever_the_size_and_the_width(monkeypatch, level, size, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    problem = get_op(op).problem((size,))
    arrays = battery.draw(get_op(op), problem)
    ours, numpys = _both(op, problem, arrays, EXACT[op])
    assert ours[0].tobytes() == numpys[0].tobytes()


def test_words_beyond_two_to_the_34():
    """The upper half of the counter, which no array that fits in memory reaches."""
    first, size = 4 * (2**32 - 16), 4 * 32
    tile = cpu.drawing._Words(cpu.Drawing(lambda word, x: word.floats(), 1, 0), cpu.simd.width())
    slots = np.empty(cpu.drawing.KEY, np.float32)
    seed, step, stream = PLACE
    slots.view(np.uint32)[:] = seed & 0xFFFFFFFF, seed >> 32, step, stream
    x, y = np.zeros(size, np.float32), np.empty(size, np.float32)
    tile.entry(x.ctypes.data, 0, 0, 0, y.ctypes.data, 0, 0, slots.ctypes.data, first, size)
    from gpuconv.random import philox4x32

    block = np.arange(first // 4, first // 4 + size // 4, dtype=np.uint64)
    low, high = block & np.uint64(0xFFFFFFFF), block >> np.uint64(32)
    counter = low, high, np.full_like(block, step), np.full_like(block, stream)
    want = np.stack(philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32)), 1).astype(np.uint32)
    assert y.view(np.uint32).tolist() == want.reshape(-1).tolist()
    assert set(high.tolist()) == {0, 1}


BITS = ("tanh", "sgd", "adam", "mse", "softmax", "cross_entropy_backward")


def _problem(op):
    rows = (300, 331)
    flat = {"tanh": (MANY,), "sgd": MANY, "adam": MANY, "mse": (MANY,)}
    given = flat.get(op, rows)
    options = {"momentum": 0.9, "weight_decay": 1e-3} if op == "sgd" else {}
    return get_op(op).problem(given, **options)


@pytest.mark.parametrize("op", BITS)
def test_bits_do_not_depend_on_threads(op):
    problem = _problem(op)
    arrays = battery.draw(get_op(op), problem)
    (kernel,) = (k for k in get_op(op).kernels() if k.backend == "numba")
    before, bits = cpu.get_num_threads(), set()
    for threads in (1, 2):
        cpu.set_num_threads(threads)
        try:
            outs = battery.outs_of(get_op(op), kernel, problem, device.CPU, arrays)
        finally:
            cpu.set_num_threads(before)
        bits.add(b"".join(out.tobytes() for out in outs))
    assert len(bits) == 1


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "cross_entropy_backward", "mse"])
def test_long_rows_against_numpy_in_float64(op):
    problem = get_op(op).problem((3, 70_003))
    arrays = battery.draw(get_op(op), problem)
    (kernel,) = (k for k in get_op(op).kernels() if k.backend == "numba")
    (plain,) = (k for k in get_op(op).kernels() if k.backend == "numpy")
    wide = [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]
    got = battery.outs_of(get_op(op), kernel, problem, device.CPU, arrays)[0]
    want = battery.outs_of(get_op(op), plain, problem.astype("float64"), device.CPU, wide)[0]
    np.testing.assert_allclose(got, want, rtol=3e-4, atol=1e-9)  # logits of 1000: half an eps each


def test_images_of_logits_stay_with_numpy():
    problem = get_op("softmax").problem((2, 3, 4, 4))
    with pytest.raises(registry.KernelError, match=r"numba:rows: takes \(N, K\) only"):
        registry.choose(get_op("softmax"), problem, device.CPU, "numba:rows")
    assert registry.choose(get_op("softmax"), problem, device.CPU).backend == "numpy"


@pytest.mark.parametrize("op", ["relu", "tanh", "sigmoid", "elu"])
def test_small_arrays_go_to_numpy_and_large_ones_to_compiled_loops(op):
    chosen = [
        registry.choose(get_op(op), get_op(op).problem((size,)), device.CPU).backend
        for size in (10, 10_000_000)
    ]
    assert chosen == ["numpy", "numba"]


def test_a_velocity_decays_through_the_denormal_numbers():
    """Nothing is flushed to 0: a unit without gradients keeps what IEEE arithmetic leaves it."""
    size = 37
    w, g = np.ones(size, np.float32), np.zeros(size, np.float32)
    velocity = np.full(size, 2e-38, np.float32)
    want, denormal = velocity.copy(), 0
    lr = np.asarray(0.1, np.float32)
    for _ in range(200):
        ops.sgd(w, g, velocity, lr, momentum=0.9, algorithm="numba")
        want *= np.float32(0.9)
        np.testing.assert_array_equal(velocity, want)
        denormal += int(0 < velocity[0] < np.finfo(np.float32).tiny)
    assert denormal > 100


def test_dropout_drops_where_the_words_say():
    x = np.ones(MANY, np.float32)
    y = ops.dropout(x, 0.25, Stream(7, 3, 2), algorithm="numba")
    assert ((y > 0) == (Stream(7, 3, 2).words(MANY) < 3 * 2**30)).all()
