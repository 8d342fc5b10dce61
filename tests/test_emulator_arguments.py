"""What a launch refuses, with a typed error that names kernel and argument, before it starts."""

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.errors import DtypeError, KernelError, LaunchError, OptionError

pytestmark = pytest.mark.emulated
SOURCE = """
#include <cuda_bf16.h>
#include <cuda_fp16.h>
struct Shape { int rows, cols; };
extern "C" __global__ void scale(const float* x, float* y, float factor, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}
extern "C" __global__ void wide(float4* y) { y[threadIdx.x].x = 1.0f; }
extern "C" __global__ void shaped(float* y, Shape s) { y[0] = s.rows * s.cols; }
extern "C" __global__ void small(const half* h, const __nv_bfloat16* b, const bool* m, void* any,
                                 const unsigned long long* q, signed char c) {}
extern "C" __global__ void hog(float* y) {
  __shared__ float s[12 * 1024];
  extern __shared__ float d[];
  d[threadIdx.x] = s[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = d[threadIdx.x] * s[threadIdx.x];
}
extern "C" __global__ void too_much(float* y) {
  __shared__ float s[12 * 1024 + 1];
  s[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
"""
X, Y = np.ones(8, "f4"), np.zeros(8, "f4")
FACTOR, N = np.float32(2), np.int32(8)
UNALIGNED = np.zeros(33, "u1")[1:].view("f4")


@pytest.fixture(scope="module")
def module() -> emulator.Module:
    return emulator.Module(SOURCE)


def frozen(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((X, Y, FACTOR), LaunchError, r"3 arguments for 4 parameters \(x, y, factor, n\)"),
        ((X, Y, 2.0, N), DtypeError, r"argument 2 \(factor\) is the Python number 2.0"),
        ((X, Y, FACTOR, 8), DtypeError, r"argument 3 \(n\) is the Python number 8"),
        ((X, Y, FACTOR, True), DtypeError, "Python number True"),
        ((X, Y, FACTOR, np.int64(8)), DtypeError, "numpy scalar of int32, got int64"),
        ((X, Y, FACTOR, np.float32(8)), DtypeError, "numpy scalar of int32, got float32"),
        ((X, Y, FACTOR, np.array([8], "i4")), DtypeError, "must be a numpy scalar of int32"),
        ((X.astype("f8"), Y, FACTOR, N), DtypeError, r"\(x\) must be an array of float32"),
        ((X.tolist(), Y, FACTOR, N), DtypeError, "must be an array of float32, got"),
        ((X[::2], Y, FACTOR, N), LaunchError, r"not C-contiguous \(strides \(8,\)\)"),
        ((UNALIGNED, Y, FACTOR, N), LaunchError, "does not start on a multiple of 4 bytes"),
        ((X, frozen(Y), FACTOR, N), LaunchError, r"\(y\) is read-only"),
    ],
)
def test_arguments_are_checked_against_the_signature(module, args, error, text):
    with pytest.raises(error, match=text) as caught:
        module.function("scale")((1,), (32,), args)
    assert str(caught.value).startswith("scale: ")


def test_read_only_and_missing_arrays_pass_where_the_kernel_allows_it(module):
    y = np.zeros(8, "f4")
    module.function("scale")((1,), (32,), (frozen(X), y, FACTOR, N))
    assert np.array_equal(y, 2 * X)
    module.function("scale")((1,), (32,), (None, None, FACTOR, np.int32(0)))


def test_zero_dimensional_arrays_are_scalars(module):
    y = np.zeros(8, "f4")
    module.function("scale")((1,), (32,), (X, y, np.array(3, "f4"), np.array(8, "i4")))
    assert np.array_equal(y, 3 * X)


def test_vectors_take_arrays_of_their_element_aligned_for_the_whole(module):
    arena = np.zeros(40, "f4")
    start = -arena.ctypes.data // 4 % 4
    module.function("wide")((1,), (8,), (arena[start : start + 32],))
    assert arena.sum() == 8
    with pytest.raises(LaunchError, match="multiple of 16 bytes"):
        module.function("wide")((1,), (1,), (arena[start + 1 : start + 33],))


def test_structs_are_checked_by_size(module):
    y, fields = np.zeros(1, "f4"), [("rows", "i4"), ("cols", "i4")]
    module.function("shaped")((1,), (1,), (y, np.array((3, 4), fields)))
    assert y[0] == 12
    for wrong in (np.array((3,), fields[:1]), np.int64(3)):
        with pytest.raises(DtypeError, match="a structured dtype of 8 bytes"):
            module.function("shaped")((1,), (1,), (y, wrong))


def test_every_element_type(module):
    types = ("f2", "u2", "?", "f8", "u8")
    good = (*(np.zeros(1, t) for t in types), np.int8(0))
    module.function("small")((1,), (1,), good)
    wanted = ("float16", "bfloat16 or uint16", "bool", None, "uint64", "int8")
    for i, words in enumerate(wanted):
        bad = np.zeros(1, "c16") if i < 5 else np.uint8(0)
        args = (*good[:i], bad, *good[i + 1 :])
        if words is None:
            module.function("small")((1,), (1,), args)
        else:
            with pytest.raises(DtypeError, match=rf"argument {i} .*{words}"):
                module.function("small")((1,), (1,), args)


@pytest.mark.parametrize(
    ("grid", "block", "text"),
    [
        ((0,), (1,), r"grid \(0,\) must lie in 1"),
        ((1, 65536), (1,), "must lie in"),
        ((1,), (1025,), r"block \(1025,\) must lie"),
        ((1,), (32, 33), "more than 1024 threads"),
        ((1,), (1, 1, 65), "must lie in"),
        (1, (1,), "grid must be a tuple of 1 to 3 integers"),
        ((1,), (1, 1, 1, 1), "block must be a tuple"),
        ((1.0,), (1,), "must lie in"),
    ],
)
def test_impossible_geometry(module, grid, block, text):
    with pytest.raises(LaunchError, match=text):
        module.function("scale")(grid, block, (X, Y, FACTOR, N))


def test_shared_memory_limits(module):
    y, hog = np.zeros(8, "f4"), module.function("hog")
    assert hog.shared_bytes == 48 << 10
    hog((1,), (8,), (y,), (227 - 48) << 10)
    assert y.sum() == 8
    with pytest.raises(LaunchError, match="at most 232448 together"):
        hog((1,), (8,), (y,), ((227 - 48) << 10) + 1)
    with pytest.raises(LaunchError, match="number of bytes"):
        hog((1,), (8,), (y,), -1)
    with pytest.raises(LaunchError, match="49156 bytes of __shared__ variables"):
        module.function("too_much")((1,), (8,), (y,))


def test_static_shared_memory_is_that_of_the_kernel_and_what_it_calls(module):
    assert module.function("scale").shared_bytes == 0


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"order": "sideways"}, OptionError, "order must be one of"),
        ({"blocks": [1]}, LaunchError, "no block 1 among the 1"),
        ({"uninitialized": [2]}, OptionError, "argument 2 is not an array"),
    ],
)
def test_options_are_checked(module, options, error, text):
    with pytest.raises(error, match=text):
        module.function("scale")((1,), (32,), (X, Y, FACTOR, N), **options)


def test_an_unknown_kernel_and_an_unknown_mode(module):
    with pytest.raises(KernelError, match="has no kernel 'scales'; check the spelling"):
        module.function("scales")
    with pytest.raises(OptionError, match="mode must be one of"):
        emulator.Module(SOURCE, mode="slow")
