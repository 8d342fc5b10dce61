"""Statistics by source line: bank conflicts of shared memory, sectors of global memory."""

from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.errors import OptionError

pytestmark = pytest.mark.emulated
SOURCE = Path(__file__).parent / "cuda" / "memory.cu"
LINES = {text.strip(): i for i, text in enumerate(SOURCE.read_text().splitlines(), 1)}
STORE = LINES["transpose_tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];"]
LOAD = LINES["y[threadIdx.y * 32 + threadIdx.x] = transpose_tile[threadIdx.x][threadIdx.y];"]
STRIDED = LINES["y[threadIdx.x] = x[threadIdx.x * stride];"]


@pytest.mark.parametrize(("pitch", "ratio"), [(32, 32.0), (33, 1.0), (34, 2.0), (48, 16.0)])
def test_bank_conflicts_of_a_transpose(pitch, ratio):
    module = emulator.Module(SOURCE, {"PITCH": pitch}, mode="check")
    x, y = np.arange(1024, dtype=np.float32), np.zeros(1024, np.float32)
    counts = module.function("transpose")((1,), (32, 32), (x, y), statistics=True)
    assert y.reshape(32, 32).tolist() == x.reshape(32, 32).T.tolist()
    (read,) = [e for e in counts.lines if (e.line, e.space, e.kind) == (LOAD, "shared", "read")]
    (write,) = [e for e in counts.lines if (e.line, e.space, e.kind) == (STORE, "shared", "write")]
    assert (read.requests, read.bytes, read.ratio) == (32, 4, ratio)
    assert (write.requests, write.ratio) == (32, 1.0)
    assert (counts.blocks, counts.barriers) == (1, 1)


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (8, 32), (9, 32)])
def test_sectors_of_a_strided_load(stride, sectors):
    module = emulator.Module(SOURCE, mode="check")
    raw = np.zeros(32 * 9 + 8, np.float32)
    x = raw[(-raw.ctypes.data % 32) // 4 :][: 32 * 9]  # begins at a sector
    y = np.zeros(32, np.float32)
    counts = module.function("strided")((1,), (32,), (x, y, np.int32(stride)), statistics=True)
    read = counts.line(STRIDED, "read")
    assert (read.space, read.requests, read.transactions, read.ideal) == ("global", 1, sectors, 4)


def test_a_line_that_is_not_there():
    module = emulator.Module(SOURCE, mode="check")
    x = np.zeros(32, np.float32)
    counts = module.function("strided")((1,), (32,), (x, x.copy(), np.int32(1)), statistics=True)
    with pytest.raises(LookupError, match="line 1 has 0 accesses of kind 'read'"):
        counts.line(1, "read")


def test_fast_mode_counts_nothing():
    module = emulator.Module(SOURCE)
    x = np.zeros(32, np.float32)
    with pytest.raises(OptionError, match="statistics"):
        module.function("strided")((1,), (32,), (x, x, np.int32(1)), statistics=True)
