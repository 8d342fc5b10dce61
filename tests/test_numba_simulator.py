"""The simulator runs Python kernels as a GPU would, in every order, and reports no false fault."""

from importlib import import_module

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.options import MODES, ORDERS, Options
from gpuconv.errors import DtypeError, KernelError, LaunchError

pytestmark = pytest.mark.numba_cuda


@pytest.fixture
def kernels():
    return import_module("numba_correct")


@pytest.fixture(params=[Options(m, o, 7) for m in MODES for o in ORDERS], ids=str)
def run(request):
    def launch(kernel, grid, block, *args):
        emulator.NumbaFunction(kernel)(grid, block, args, request.param)

    return launch


def test_threads_know_their_place(kernels, run):
    y = np.zeros((4, 6, 10), np.int32)
    run(kernels.where_am_i, (5, 3, 1), (2, 2, 4), y)
    assert np.array_equal(y.reshape(-1), np.arange(240))


@pytest.mark.parametrize("shape", [(16, 8), (13, 21)])
def test_a_transpose_through_shared_memory(kernels, run, shape):
    x = np.arange(float(shape[0] * shape[1]), dtype=np.float32).reshape(shape)
    y = np.zeros(shape[::-1], np.float32)
    run(kernels.transpose, (-(-shape[1] // 8), -(-shape[0] // 8)), (8, 8), y, x)
    assert np.array_equal(y, x.T)


def test_barriers_in_a_loop(kernels, run):
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    run(kernels.running_sums, (1,), (64,), y, x)
    assert np.array_equal(y, np.cumsum(x))


def test_a_warp_exchanges_through_shared_memory(kernels, run):
    y = np.zeros(32, np.float32)
    run(kernels.neighbours, (1,), (64,), y)
    assert np.array_equal(y, 2.0 * np.roll(np.arange(32), -1))


def test_two_shared_arrays_of_one_line_are_two(kernels, run):
    y = np.zeros(64)
    run(kernels.two_arrays_in_a_line, (1,), (64,), y)
    assert (y == 12).all()


def test_shuffles_and_votes(kernels, run):
    y, lanes = np.full((11, 32), -1, np.int64), np.arange(32)
    run(kernels.collectives, (1,), (32,), y)
    assert (y[0] == 5).all()
    assert np.array_equal(y[1], lanes ^ 3)
    assert np.array_equal(y[2], np.where(lanes < 2, lanes, lanes - 2))
    assert np.array_equal(y[3], np.where(lanes > 29, lanes, lanes + 2))
    assert (y[4] == 0xAAAAAAAA).all()
    assert y[5:10].tolist() == [[1] * 32, [0] * 32, [16] * 32, [1] * 32, [0] * 32]
    assert np.array_equal(y[10], np.where(lanes % 2, 7, 6))


def test_atomics(kernels, run):
    x = np.arange(3, 203, dtype=np.int32)
    counts, highest, lowest = (
        np.zeros(7, np.int32),
        np.zeros(1, np.int32),
        np.full(1, 999, np.int32),
    )
    run(kernels.histogram, (2,), (32,), counts, highest, lowest, x)
    assert np.array_equal(counts, np.bincount(x % 7))
    assert (highest[0], lowest[0]) == (202, 3)


def test_in_place_and_views(kernels, run):
    x = np.arange(12.0).reshape(3, 4)
    run(kernels.in_place, (3,), (4,), x)
    assert np.array_equal(x.reshape(-1), 2 * np.arange(12))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arithmetic_stays_in_its_type(kernels, run, dtype):
    x, y = np.array([1000, 2], dtype), np.zeros(5, dtype)
    run(kernels.functions, (1,), (1,), y, x)
    two = x.dtype.type(2)
    assert y.tolist() == [np.inf, np.expm1(two), np.sqrt(two), 6, np.inf]


def test_a_kernel_may_use_values_from_around_it(kernels, run):
    y = np.ones(40)
    run(kernels.scaler(3), (1,), (40,), y)
    run(kernels.scaler(5), (1,), (40,), y)
    assert (y == 15).all()


def test_a_kernel_without_a_file_may_not_wait():
    cuda = import_module("gpuconv.cuda.numba").cuda
    scope = {"cuda": cuda}
    exec("@cuda.jit\ndef nowhere(y):\n    y[0] = 1\n    cuda.syncthreads()", scope)
    with pytest.raises(
        KernelError, match="nowhere: its source cannot be read, and it has barriers"
    ):
        emulator.NumbaFunction(scope["nowhere"])


@pytest.mark.parametrize(
    ("grid", "block", "args", "error", "match"),
    [
        ((1,), (2000,), 1, LaunchError, "in_place: block"),
        ((0,), (32,), 1, LaunchError, "in_place: grid"),
        ((1,), (32,), 2, LaunchError, r"in_place: 2 arguments for 1 parameters \(x\)"),
        ((1,), (32,), "complex64", DtypeError, "in_place: x has dtype complex64; expected floats"),
    ],
)
def test_bad_launches_are_refused(kernels, grid, block, args, error, match):
    given = (np.zeros(3, args),) if isinstance(args, str) else (np.zeros((3, 4)),) * args
    with pytest.raises(error, match=match):
        emulator.NumbaFunction(kernels.in_place)(grid, block, given)


def test_threads_run_in_the_order_that_is_asked_for(kernels):
    function, found = emulator.NumbaFunction(kernels.arrivals), {}
    for options in (
        Options("check", o, s) for o, s in zip((*ORDERS, "random"), (0, 0, 1, 2), strict=True)
    ):
        y, count = np.zeros(64, np.int32), np.zeros(1, np.int32)
        function((2,), (32,), (y, count), options)
        found[options.order, options.seed] = y.tolist()
        function((2,), (32,), (y, np.zeros(1, np.int32)), options)
        assert y.tolist() == found[options.order, options.seed]
    assert found["ascending", 0] == list(range(64))
    assert found["descending", 0] == list(range(63, -1, -1))
    assert found["random", 1] != found["random", 2]
    assert sorted(found["random", 1]) == found["ascending", 0]
