"""The door to a GPU: sources, and the checks of arguments before a launch."""

import numpy as np
import pytest

from gpuconv import cuda
from gpuconv.cuda import arguments, launch
from gpuconv.errors import DeviceError, DtypeError, KernelError, ShapeError

TEXT = """
// void not_an_entry(int x)
#include "shared.cuh"
struct Sizes { int n; long long m; };
extern "C" __global__ void scale(REAL* __restrict__ y, const REAL* x, const int n, Sizes sizes) {}
extern "C" __global__ void __launch_bounds__(256) nothing() {}
/* extern "C" __global__ void commented(int n) {} */
"""


@pytest.fixture
def source(tmp_path):
    (tmp_path / "cuda_scale.cu").write_text(TEXT)
    (tmp_path / "shared.cuh").write_text('#include "deeper.cuh"\n')
    (tmp_path / "deeper.cuh").write_text("// nothing more\n")
    return cuda.Source(tmp_path / "cuda_scale.py")


def test_entries_and_parameters(source):
    assert set(source.entries) == {"scale", "nothing"}
    y, x, n, sizes = source.entries["scale"]
    assert (y.name, y.type, y.pointer, y.const) == ("y", "REAL", True, False)
    assert (x.name, x.type, x.pointer, x.const) == ("x", "REAL", True, True)
    assert (n.name, n.type, n.pointer, n.const) == ("n", "int", False, True)
    assert (sizes.type, sizes.pointer) == ("Sizes", False)
    assert source.entries["nothing"] == ()


def test_the_digest_covers_every_header(source, tmp_path):
    assert set(source.headers) == {"shared.cuh", "deeper.cuh"}
    before = source.digest
    (tmp_path / "deeper.cuh").write_text("// something\n")
    assert cuda.Source(source.path).digest != before


def test_unknown_entries_and_files(source, tmp_path):
    with pytest.raises(KernelError, match=r"no entry 'scael'; it has scale, nothing"):
        source.function("scael")
    with pytest.raises(KernelError, match="missing.cu: cannot be read"):
        cuda.Source(tmp_path / "missing.py").entries  # noqa: B018


def test_functions_are_kept_by_macros(source):
    one = source.function("scale", REAL="float")
    assert source.function("scale", REAL="float") is one
    assert source.function("scale", REAL="double") is not one


SIZES = cuda.pack({"n": 1, "m": 2}, wide=("m",))
Y = np.zeros(4, np.float32)


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        ((Y, Y, np.int32(4)), ShapeError, "got 3 arguments, expected 4"),
        ((Y, Y, 4, SIZES), DtypeError, "argument n is a Python int, expected a NumPy scalar"),
        ((Y, Y, np.int64(4), SIZES), DtypeError, "argument n is int64, expected int32"),
        ((Y, Y.astype("f8"), np.int32(4), SIZES), DtypeError, "x is float64, expected float32"),
        ((Y[::2], Y, np.int32(4), SIZES), ShapeError, "argument y is not contiguous"),
        ((Y, None, np.int32(4), SIZES), DtypeError, "argument x is NoneType, expected an array"),
        ((Y, Y, np.int32(4), np.int32(1)), DtypeError, "expected a structured scalar for Sizes"),
        ((np.float32(1), Y, np.int32(4), SIZES), DtypeError, "argument y is float32, expected an"),
    ],
)
def test_arguments_that_do_not_fit(source, args, error, text):
    with pytest.raises(error, match=rf"scale: .*{text}"):
        source.function("scale", REAL="float")((1,), (4,), args)


def test_misaligned_arrays_are_refused(source):
    raw = np.zeros(17, np.uint8)[1:].view(np.float32)
    with pytest.raises(ShapeError, match="argument y is not aligned to its 4-byte elements"):
        source.function("scale", REAL="float")((1,), (4,), (raw, Y, np.int32(4), SIZES))


def test_cpu_arrays_are_on_no_gpu(source):
    with pytest.raises(DeviceError, match="scale: its arrays live on cpu; expected one GPU"):
        source.function("scale", REAL="float")((1,), (4,), (Y, Y, np.int32(4), SIZES))


def test_a_struct_is_laid_out_as_cpp_does():
    packed = cuda.pack({"n": 1, "m": 2**40, "k": 3}, wide=("m",))
    assert packed.dtype.itemsize == 24
    assert [packed.dtype.fields[f][1] for f in ("n", "m", "k")] == [0, 8, 16]
    assert (int(packed["n"]), int(packed["m"]), int(packed["k"])) == (1, 2**40, 3)
    assert isinstance(packed, np.void)


def test_every_cpp_type_has_its_size():
    sizes = {"float": 4, "double": 8, "int": 4, "unsigned": 4, "long long": 8, "char": 1}
    for name, size in sizes.items():
        assert np.dtype(arguments.TYPES[name]).itemsize == size


def test_grids_cover_and_are_capped():
    assert cuda.grid_for(1) == (1,)
    assert cuda.grid_for(0) == (1,)
    assert cuda.grid_for(257) == (2,)
    assert cuda.grid_for(2**40) == (launch.MAX_BLOCKS,)


def test_the_index_type_leaves_room_for_a_stride():
    limit = 2**31 - launch.BLOCK * launch.MAX_BLOCKS
    assert launch.index_type(10, limit - 1) == "int"
    assert launch.index_type(10, limit) == "long long"
    assert launch.index_type() == "int"
