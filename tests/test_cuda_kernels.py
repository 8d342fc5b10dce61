"""CUDA kernels beyond the battery: loops that go round, wide indices, awkward sizes, bad labels."""

import ctypes
import mmap
from pathlib import Path

import numpy as np
import pytest

from gpuconv import battery, emulator, ops, registry
from gpuconv.cuda import BLOCK, index_type
from gpuconv.cuda.launch import MAX_BLOCKS
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.kernels import _cuda as shared
from gpuconv.kernels.array.op import ArrayProblem
from gpuconv.kernels.conv2d import _cuda as conv
from gpuconv.kernels.conv2d import cuda_direct as convolution
from gpuconv.kernels.conv2d import cuda_implicit_gemm as implicit_gemm
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.kernels.cross_entropy import cuda_warp
from gpuconv.kernels.cross_entropy.op import CrossEntropyProblem
from gpuconv.kernels.elementwise import ElementwiseProblem
from gpuconv.kernels.linear.op import LinearProblem
from gpuconv.kernels.pool2d import _cuda as pool
from gpuconv.kernels.pool2d import cuda_direct as pooling
from gpuconv.kernels.pool2d.op import Pool2dProblem
from gpuconv.kernels.relu import cuda_direct as relu
from gpuconv.random import Stream, philox4x32

KERNELS = Path(shared.__file__).parent
KNOWN = [(op, k) for op in registry.ops().values() for k in op.kernels() if k.backend == "cuda"]


def late(kernel):
    """A variant has its algorithm's code: CI looks at it."""
    return [pytest.mark.slow] if kernel.variant_of else []


pytestmark = pytest.mark.emulated
every_kernel = pytest.mark.parametrize(
    ("op", "kernel"),
    [pytest.param(op, k, id=f"{op.name}-{k.algorithm}", marks=late(k)) for op, k in KNOWN],
)


def _battery(op, kernel):
    for problem in op.cases():
        if kernel.objection(problem, EMULATED, registry.current_limits()) is None:
            battery.check(op, kernel, problem, EMULATED)


@every_kernel
def test_one_block_does_the_work_of_many(op, kernel, monkeypatch):
    monkeypatch.setattr(shared, "grid_for", lambda count, block=BLOCK: (1,))
    monkeypatch.setattr(cuda_warp, "PARTIALS", 1)
    _battery(op, kernel)


@every_kernel
def test_64_bit_indices_give_the_same(op, kernel, monkeypatch):
    monkeypatch.setattr(shared, "index_type", lambda *counts: "long long")
    _battery(op, kernel)


LARGER = {
    "conv2d_weight": Conv2dProblem(5, 2, 7, 3, 2, 3, 1),  # 25 rows in 6 slices, the last empty
    "cross_entropy": CrossEntropyProblem((9, 3, 5, 1), label_smoothing=0.2),  # 45 rows, 6 blocks
    "cross_entropy_backward": CrossEntropyProblem((9, 3, 5, 1), label_smoothing=0.2),
    "softmax": ElementwiseProblem((17, 33)),
    "linear_weight": LinearProblem(37, 18, 35),
    "linear": LinearProblem(18, 40, 33),
}


@pytest.mark.parametrize("name", LARGER)
def test_sizes_that_do_not_divide(name):
    op = registry.get_op(name)
    limits = registry.current_limits()
    for kernel in (k for k in op.kernels() if k.backend == "cuda"):
        if kernel.objection(LARGER[name], EMULATED, limits) is None:
            battery.check(op, kernel, LARGER[name], EMULATED)


@pytest.mark.parametrize("label", [-1, 3, 2**32])
def test_a_label_that_is_no_class_gives_nan(label):
    x = to_device(np.ones((2, 3), np.float32), EMULATED)
    target = to_device(np.array([1, label]), EMULATED)
    slope = to_device(np.asarray(1.0, np.float32), EMULATED)
    with emulator.options(mode="check"):
        loss = to_numpy(ops.cross_entropy(x, target))
        dx = to_numpy(ops.cross_entropy_backward(slope, x, target))
    assert np.isnan(loss)
    assert np.isfinite(dx[0]).all()
    assert np.isnan(dx[1]).all()


def test_a_class_whose_logit_is_minus_infinity_has_no_probability():
    x = to_device(np.array([[1, -np.inf, 1]], np.float32), EMULATED)
    loss = ops.cross_entropy(x, to_device(np.array([2]), EMULATED))
    assert to_numpy(loss) == pytest.approx(np.log(2))


def test_an_index_is_wide_from_where_one_more_step_of_the_grid_would_wrap():
    last = 2**31 - BLOCK * MAX_BLOCKS - 1
    assert index_type(5, last) == "int"
    assert index_type(5, last + 1) == "long long"


def test_the_launcher_takes_the_width_that_the_shapes_ask_for():
    source = relu.SOURCE
    narrow = shared.Launcher(source, ArrayProblem((7, 3)))
    wide = shared.Launcher(source, ArrayProblem((2**16, 2**15)))
    bounded = shared.Launcher(source, ArrayProblem((7, 3)), 2**31)
    assert narrow.index(3).dtype == np.int32
    assert wide.index(3).dtype == bounded.index(3).dtype == np.int64
    assert narrow.struct(a=1, b=2).nbytes == 8
    assert wide.struct(a=1, b=2).nbytes == 16


DENSE = Conv2dProblem(1, 64, 9, 9, 4, 3, 3)
CONVOLUTIONS = [
    pytest.param(k, id=k.algorithm, marks=late(k))
    for op, k in KNOWN
    if op.name == "conv2d" and not k.refuses(DENSE, EMULATED)
]


@pytest.mark.parametrize("channels", [64, 512])
@pytest.mark.parametrize("kernel", CONVOLUTIONS)
def test_a_long_sum_of_positive_terms_stays_accurate(kernel, channels):
    stream = Stream(1)
    x = stream.uniform((1, channels, 9, 9)).astype(np.float32)
    weight = stream.at(1).uniform((4, channels, 3, 3)).astype(np.float32)
    want = ops.conv2d(x.astype(np.float64), weight.astype(np.float64))
    given = to_device(x, EMULATED), to_device(weight, EMULATED)
    got = ops.conv2d(*given, algorithm=kernel.name)
    assert (abs(to_numpy(got) - want) <= 8 * 2**-23 * want).all()


def _zeros(size):
    """float32 zeros that take no memory until they are touched."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    return np.frombuffer(mmap.mmap(-1, 4 * size, flags=flags), np.float32)


def _last_block(file, entry, *args, blocks=None):
    """Run only the last of the blocks: of one for each item, or the first array's last elements."""
    size = blocks or args[0].size
    blocks = blocks or -(-size // BLOCK)
    _wide(file, entry)((blocks,), (BLOCK,), (*args, np.int64(size)), blocks=[blocks - 1])


def _wide(file, entry):
    macros = {"REAL": "float", "INDEX": "long long", "BLOCK": BLOCK}
    return emulator.Module(KERNELS / file, macros, [KERNELS], "fast").function(entry)


BEYOND = 2**32 + 77  # unsigned ones wrap there


def test_relu_beyond_32_bit_indices():
    x, y = _zeros(BEYOND), _zeros(BEYOND)
    x[-2:] = -1, 3
    _last_block("relu/cuda_direct.cu", "relu", y, x)
    assert y[-2:].tolist() == [0, 3]


def test_conv2d_beyond_32_bit_indices():
    problem = Conv2dProblem(BEYOND // 11, 1, 1, 11, 1, 1, 3, padding=((0, 0), (1, 1)))
    x, y, weight = _zeros(problem.n * 11), _zeros(problem.n * 11), np.array([1, 2, 4], np.float32)
    x[-3:] = 1, 3, 5
    run = conv.launcher(convolution.SOURCE, problem)
    arrays = y, x, weight, weight, conv.struct(run, problem)
    _last_block("conv2d/cuda_direct.cu", "conv2d", *arrays)
    assert y[-3:].tolist() == [0 + 2 + 12, 1 + 6 + 20, 3 + 10]


def test_implicit_gemm_beyond_32_bit_indices():
    problem = Conv2dProblem(BEYOND // 11, 1, 1, 11, 1, 1, 3, padding=((0, 0), (1, 1)))
    x, y, weight = _zeros(problem.n * 11), _zeros(problem.n * 11), np.array([1, 2, 4], np.float32)
    x[-3:] = 1, 3, 5
    gemm = implicit_gemm._forward_gemm(problem)
    run = conv.launcher(implicit_gemm.SOURCE, problem, *gemm.counts)
    arrays = y, x, weight, weight, conv.struct(run, problem), gemm.struct(run)
    _last_block("conv2d/cuda_implicit_gemm.cu", "conv2d", *arrays, blocks=gemm.tiles)
    assert y[-3:].tolist() == [0 + 2 + 12, 1 + 6 + 20, 3 + 10]


def test_max_pool2d_beyond_32_bit_indices():
    planes = -(-BEYOND // 4)
    problem = Pool2dProblem(planes, 1, 2, 2, (2, 1), (1, 1))
    x, y, index = _zeros(4 * planes), _zeros(2 * planes), _zeros(2 * planes).view(np.int32)
    x[-4:] = 1, 2, 3, 0
    run = shared.Launcher(pooling.SOURCE, problem)
    arrays = y, index, x, pool.struct(run, problem)
    _last_block("pool2d/cuda_direct.cu", "max_pool2d", *arrays)
    assert y[-2:].tolist() == [3, 2]
    assert index[-2:].tolist() == [2, 1]


def _ends_with(kept, size):
    """float32 of this size whose last are ``kept``; the others are no memory: never touch them."""
    first = kept.ctypes.data - 4 * (size - kept.size)
    return np.ctypeslib.as_array((ctypes.c_float * size).from_address(first))


def test_dropout_beyond_32_bit_blocks_of_words():
    last, items = divmod(BEYOND, BLOCK)  # the last block has so many of four elements
    x, y = np.arange(4 * items, dtype=np.float32), np.zeros(4 * items, np.float32)
    arrays = _ends_with(y, 4 * BEYOND), _ends_with(x, 4 * BEYOND)
    place = np.array([7], np.uint64), np.array([3], np.int64), np.array([5], np.int64)
    options = np.uint64(2**31), np.float32(2), np.int64(4 * BEYOND), np.int64(BEYOND)
    dropout = _wide("dropout/cuda_philox.cu", "dropout")
    dropout((last + 1,), (BLOCK,), (*arrays, *place, *options), blocks=[last])
    block = np.arange(BEYOND - items, BEYOND, dtype=np.uint64)
    counter = block % 2**32, block // 2**32, np.full_like(block, 3), np.full_like(block, 5)
    kept = np.stack(philox4x32(counter, (7, 0)), axis=1).ravel() < 2**31
    assert np.array_equal(y, np.where(kept, 2 * x, 0))
