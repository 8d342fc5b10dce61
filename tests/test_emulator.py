"""Correct CUDA kernels on the CPU: right values in both modes and every order, no false report."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.launch import ORDERS

pytestmark = pytest.mark.emulated
HERE = Path(__file__).parent / "cuda"
I = np.int32  # noqa: E741
RUNS = list(product(("fast", "check"), ORDERS))


@pytest.fixture(scope="module", params=RUNS, ids="-".join)
def run(request):
    """``run(kernel, grid, block, *args)`` in one mode and order."""
    mode, order = request.param
    module = emulator.Module(HERE / "correct.cu", mode=mode)

    def call(name, grid, block, *args, **options):
        module.function(name)(grid, block, args, order=order, seed=7, **options)

    return call


def random(*shape: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


def test_tiled_matmul(run):
    a, b, c = random(19, 37), random(37, 21), np.full((19, 21), np.nan, "f4")
    run("matmul", (2, 2), (16, 16), a, b, c, I(19), I(21), I(37))
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


def test_reduction_with_shuffles_and_vector_loads(run):
    x, out = np.arange(1000, dtype="f4"), np.zeros(1, "f4")
    run("sum", (3,), (128,), x, out, I(250))
    assert out[0] == x.sum()


def test_transpose(run):
    x, y = random(40, 70), np.full((70, 40), np.nan, "f4")
    run("transpose", (3, 2), (32, 8), x, y, I(40), I(70))
    assert np.array_equal(y, x.T)


def test_histogram(run):
    x, bins = (np.arange(3000) ** 2).astype("u1"), np.zeros(256, "u4")
    run("histogram", (3,), (256,), x, bins, I(3000))
    assert np.array_equal(bins, np.bincount(x, minlength=256))


def test_dynamic_shared_memory(run):
    x, y = random(3, 50), np.zeros((3, 50), "f4")
    run("reverse", (3,), (50,), x, y, shared_mem=200)
    assert np.array_equal(y, x[:, ::-1])


def test_pipeline_of_asynchronous_copies(run):
    x, y = np.arange(7 * 128, dtype="f4").reshape(7, 128), np.zeros(32, "f4")
    run("pipeline", (1,), (32,), x, y, I(7))
    assert np.array_equal(y, x.sum(0)[::-1][:32])
    y = np.full(4, np.nan, "f4")
    run("copy_with_zeros", (1,), (1,), x[0, 8:], y)
    assert y.tolist() == [8, 9, 0, 0]


def test_half_and_bfloat16(run):
    x, y = random(64, dtype="f2"), np.zeros(64, "f2")
    run("halves", (1,), (32,), x, y, np.float16(1.5))
    one = np.tile([1.0, -1.0], 32)
    assert np.array_equal(y, (x.astype("f8") * 1.5 + one).astype("f2"))
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -0.0, np.inf, np.nan, 1e-40, 3e38], "f4")
    bits = np.zeros(8, "u2")
    run("bfloats", (1,), (8,), values, bits)
    expected = [0x3F80, 0x3F80, 0x3F82, 0x8000, 0x7F80, 0x7FFF, 0x0001, 0x7F62]
    assert bits.tolist() == expected


def test_every_half_and_its_rounding(run):
    x = np.arange(1 << 16, dtype="u2").view("f2")
    with np.errstate(invalid="ignore"):  # some NaNs are signalling
        z = np.nextafter(x.astype("f4") * np.float32(1.00049), np.float32(0))
    y, back, rounded = np.zeros(x.size, "f4"), np.zeros_like(x), np.zeros_like(x)
    run("half_values", (64,), (1024,), x, y, back, z, rounded)
    assert np.array_equal(y, x.astype("f4"), equal_nan=True)
    assert np.array_equal(back, x, equal_nan=True)
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.array_equal(rounded, z.astype("f2"), equal_nan=True)


def test_bytes_of_different_threads(run):
    x, positive, sign = random(64), np.zeros(64, bool), np.zeros(64, "i1")
    run("mask", (1,), (64,), x, positive, sign)
    assert np.array_equal(positive, x > 0)
    assert np.array_equal(sign, np.where(x > 0, 1, -1))


def test_exchange_in_a_warp(run):
    y, t = np.zeros(64, "f4"), np.arange(64)
    run("warps", (1,), (64,), y)
    assert np.array_equal(y, 2 * ((t ^ 15) ^ 31))


def test_votes_and_shuffles(run):
    x, out, i = random(64), np.zeros((64, 10), "i4"), np.arange(64)
    run("votes", (1,), (64,), x, out, I(63))
    lane = i % 32
    in_warp = np.repeat((x > 0).reshape(2, 32).sum(1), 32)
    expected = [
        in_warp,
        *(np.full(64, v) for v in (1, 1, (x > 0).sum(), 0, 1)),
        np.where(lane >= 3, i - 3, i),
        np.where(i % 8 < 5, i + 3, i),
        i // 16 * 16 + 5,
        i ^ 3,
    ]
    assert np.array_equal(out, np.transpose(expected))


@pytest.mark.parametrize("scalar", [np.void, np.ndarray])
def test_a_struct_by_value(run, scalar):
    dtype = np.dtype([("rows", "i4"), ("cols", "i4"), ("scale", "f8")])
    shape = np.array((2, 40, 0.5), dtype)
    x = np.ones((2, 40))
    run("scaled", (2,), (32,), x, shape if scalar is np.ndarray else shape[()], I(1))
    assert np.array_equal(x, np.repeat([[1.0], [0.5]], 40, axis=1))


def test_in_place_and_overlapping(run):
    x = random(100)
    expected = np.maximum(x, 0)
    run("relu", (4,), (32,), x, x, I(100))
    assert np.array_equal(x, expected)
    arena = np.arange(-8, 8, dtype="f4")
    run("relu", (1,), (32,), arena[:4], arena[4:8], I(4))
    assert arena.tolist() == [-8, -7, -6, -5, 0, 0, 0, 0, *range(8)]


def test_atomics(run):
    out, total, big = np.zeros(4, "i4"), np.zeros(1), np.zeros(1, "u8")
    run("atomics", (2,), (64,), out, total, big)
    assert out.tolist()[:3] == [127, -127, 255]
    assert out[3] >= 1
    assert total[0] == 64
    assert big[0] == 128 << 40


def test_copies_of_structs_and_bytes(run):
    x, y, z = random(32, 4), np.zeros((32, 4), "f4"), np.ones(32, "f4")
    run("copies", (1,), (32,), x, y, z)
    assert np.array_equal(y, x[::-1])
    assert not z.any()


def test_three_dimensional_grid_and_block(run):
    out = np.zeros((2 * 3 * 2, 2, 3, 5, 3), "u4")
    run("where", (2, 3, 2), (5, 3, 2), out)
    z, y, x = np.meshgrid(range(2), range(3), range(5), indexing="ij")
    assert (out == np.stack([x, y, z], -1)).all()


def test_chosen_blocks_only(run):
    x, y = random(4, 50), np.zeros((4, 50), "f4")
    run("reverse", (4,), (50,), x, y, shared_mem=200, blocks=[2, 0])
    assert np.array_equal(y[[0, 2]], x[[0, 2], ::-1])
    assert not y[[1, 3]].any()


# Pages that nobody touches take no memory, in the array or in the checks.
@pytest.mark.parametrize("mode", ["fast", "check"])
def test_beyond_two_to_the_31_elements(mode):
    size = 2**31 + 40
    x = np.zeros(size, "u1")
    function = emulator.Module(HERE / "correct.cu", mode=mode).function("mark_last")
    last = (size - 1) // 256
    function((last + 1,), (256,), (x, np.int64(size)), blocks=[last])
    assert np.array_equal(x[-40:], np.arange(2**31, size) % 251)
    assert not x[-100:-40].any()


def test_no_threads_beyond_the_data_and_no_data_at_all(run):
    run("relu", (1,), (32,), np.zeros(0, "f4"), np.zeros(0, "f4"), I(0))


def test_ended_threads_count_as_arrived_where_that_is_asked_for(run):
    y = np.zeros(64, "f4")
    run("ended_threads", (1,), (64,), y, I(40), strict=False)
    assert y.sum() == 40


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("mode", ["fast", "check"])
def test_macros_choose_the_type(mode, dtype):
    ctype = {"f4": "float", "f8": "double"}[dtype]
    module = emulator.Module(HERE / "correct.cu", {"T": ctype}, mode=mode)
    a, b, c = random(8, 8, dtype=dtype), random(8, 8, dtype=dtype), np.zeros((8, 8), dtype)
    module.function("matmul")((1, 1), (16, 16), (a, b, c, I(8), I(8), I(8)))
    np.testing.assert_allclose(c, a @ b, rtol=100 * np.finfo(dtype).eps, atol=1e-6)


def test_the_same_seed_gives_the_same_run():
    module = emulator.Module(HERE / "correct.cu")
    sums = []
    for seed in (3, 3, 4):
        out = np.zeros(1, "f4")
        x = random(4096)
        module.function("sum")((8,), (128,), (x, out, I(1024)), order="random", seed=seed)
        sums.append(float(out[0]))
    assert sums[0] == sums[1] != sums[2]
