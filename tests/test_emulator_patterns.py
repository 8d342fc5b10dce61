"""Patterns of correct kernels that a check might take for a fault: right values, no report."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator import build
from gpuconv.emulator.launch import ORDERS

pytestmark = pytest.mark.emulated
FILE = Path(__file__).parent / "cuda" / "patterns.cu"
RUNS = list(product(("fast", "check"), ORDERS))
LANE = np.arange(32)


@pytest.fixture(scope="module", params=RUNS, ids="-".join)
def run(request):
    """``run(kernel, grid, block, *args)`` in one mode and order."""
    mode, order = request.param
    module = emulator.Module(FILE, mode=mode)

    def call(name, grid, block, *args, **options):
        module.function(name)((grid,), (block,), args, order=order, seed=3, **options)

    return call


def digits(*shape: int, dtype: str = "f4") -> np.ndarray:
    """Small integers: their sums are exact in any order."""
    return np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)


def test_two_buffers_need_one_barrier_a_step(run):
    x, y = digits(64, dtype="i4"), np.zeros(64, "i4")
    run("scan", 1, 64, x, y)
    assert np.array_equal(y, x.cumsum())


def test_dynamic_shared_memory_carved_into_types_and_used_again(run):
    x, y, bytes_ = digits(32, dtype="f8"), np.zeros(32), np.zeros(32, "u1")
    run("carved", 1, 32, x, y, bytes_, shared_mem=384)
    assert np.array_equal(y, 2 * x[::-1])
    assert np.array_equal(bytes_, LANE[::-1])


def test_vectors_read_as_scalars_and_pointers_from_behind(run):
    x, y = digits(4, 32), np.zeros((4, 32), "f4")
    run("mixed", 1, 32, x, y)
    assert np.array_equal(y, x[::-1])


def test_atomics_and_plain_accesses_with_barriers_between(run):
    x, y, total = digits(192, dtype="i4"), np.zeros(192, "i4"), np.zeros(1, "i4")
    run("compact", 3, 64, x, y, total)
    kept = x[x > 0]
    assert total[0] == kept.size
    assert np.array_equal(np.sort(y[: kept.size]), np.sort(kept))


def test_pointers_into_local_arrays(run):
    x, y = digits(100), np.zeros(100, "f4")
    run("locals", 4, 32, x, y, np.int32(100))
    assert np.array_equal(y, np.convolve(np.append(x, np.zeros(8)), np.ones(9), "valid"))


def test_idle_threads_wait_like_the_others(run):
    x, y = digits(100), np.zeros(32, "f4")
    run("tiles", 1, 32, x, y, np.int32(100))
    assert np.array_equal(y, np.where(LANE < 20, x.sum(), 0))


def test_halves_of_a_warp_in_different_branches(run):
    y = np.zeros(32, "i4")
    run("halves_of_a_warp", 1, 32, y)
    assert np.array_equal(y, np.where(LANE < 16, 15 - LANE + (LANE ^ 1), 47 - LANE))


def test_arithmetic_that_is_defined(run):
    y = np.zeros(32, "u4")
    run("arithmetic", 1, 32, y, np.int32(-17), np.int64(5))
    hash_ = (LANE.astype("u4") + np.uint32(1)) * np.uint32(2654435761)
    turned = hash_ << np.uint32(7) | hash_ >> np.uint32(25)
    assert np.array_equal(y, turned - np.uint32(3))


def test_asynchronous_copies_of_every_size_by_some_of_the_threads(run):
    x, y = digits(3, 32), np.zeros(32, "f4")
    run("copies_of_all", 1, 32, x, y)
    assert np.array_equal(y, x.sum(0)[::-1])


def test_blocks_read_what_others_read(run):
    x, y = digits(100), np.zeros(100, "f4")
    run("stencil", 2, 16, x, y, np.int32(100))
    assert np.array_equal(y, np.convolve(x, np.ones(3), "same"))


UNSET = """
extern "C" __global__ void unset(const float* x, float* y) {
  float sum, many[3];
  for (int i = 0; i < 3; ++i) sum += x[i];
  many[1] = sum;
  for (int i = 0; i < 3; ++i) y[i] = many[i];
}
"""


@pytest.mark.skipif(not build.poison("g++"), reason="g++ knows no -ftrivial-auto-var-init")
@pytest.mark.parametrize("order", ORDERS)
def test_local_variables_hold_huge_values_until_they_are_set(order):
    y = np.zeros(3, "f4")
    emulator.Module(UNSET, mode="check").function("unset")((1,), (1,), (digits(3), y), order=order)
    assert (abs(y) > 1e30).all()
