"""Statistics of memory: bank conflicts and sectors, worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.statistics import LineStatistics, Statistics
from gpuconv.errors import OptionError

pytestmark = pytest.mark.emulated
FILE = Path(__file__).parent / "cuda" / "memory.cu"


def number(mark: str) -> int:
    """The line that ends with ``// mark``."""
    return next(
        n for n, text in enumerate(FILE.read_text().splitlines(), 1) if text.endswith(f"// {mark}")
    )


@pytest.fixture(scope="module")
def module() -> emulator.Module:
    return emulator.Module(FILE, mode="check")


def measure(module: emulator.Module, kernel: str, block: tuple, *args: object) -> Statistics:
    return module.function(kernel)((1,), block, args, order="random", statistics=True)


def floats(size: int) -> np.ndarray:
    return np.zeros(size, "f4")


def counts(line: LineStatistics) -> tuple[str, int, int, int, int]:
    return line.space, line.bytes, line.requests, line.transactions, line.ideal


# 8 warps go over 4 rows each: 32 requests, each of 32 banks or 4 sectors of 32 bytes.
@pytest.mark.parametrize(("kernel", "passes"), [("unpadded", 32), ("padded", 1)])
def test_bank_conflicts_of_a_transpose(module, kernel, passes):
    found = measure(module, kernel, (32, 8), floats(1024), floats(1024))
    assert counts(found.line(number("store"), "read")) == ("shared", 4, 32, 32 * passes, 32)
    assert found.line(number("store"), "read").ratio == passes
    assert counts(found.line(number("load"), "write")) == ("shared", 4, 32, 32, 32)
    assert counts(found.line(number("load"), "read")) == ("global", 4, 32, 128, 128)
    assert (found.blocks, found.barriers, found.accesses) == (1, 1, 4 * 1024)


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (8, 32), (0, 1)])
def test_sectors_of_a_strided_load(module, stride, sectors):
    found = measure(module, "strided", (64,), floats(512), floats(64), np.int32(stride))
    line = found.line(number("strided"), "read")
    assert counts(line) == ("global", 4, 2, 2 * sectors, 2 * min(4, sectors))
    assert found.line(number("strided"), "write").ratio == 1


# 32 lanes of 16 bytes: 512 bytes are 16 sectors, and 4 passes over the banks.
def test_vector_accesses_are_one_request(module):
    found = measure(module, "vectors", (64,), floats(256), floats(256))
    assert counts(found.line(number("in"), "read")) == ("global", 16, 2, 32, 32)
    assert counts(found.line(number("in"), "write")) == ("shared", 16, 2, 8, 8)
    assert counts(found.line(number("out"), "read")) == ("shared", 16, 2, 8, 8)


def test_a_word_that_all_lanes_read_costs_one_sector(module):
    found = measure(module, "broadcast", (32,), floats(5), floats(32), np.int32(5))
    assert counts(found.line(number("all"), "read")) == ("global", 4, 5, 5, 5)


def test_a_line_with_several_accesses_must_be_looked_up_in_lines(module):
    found = measure(module, "broadcast", (32,), floats(5), floats(32), np.int32(5))
    assert {line.file for line in found.lines} == {str(FILE.resolve())}
    with pytest.raises(LookupError, match="line 1 has 0 accesses"):
        found.line(1, "read")


def test_statistics_need_check_mode():
    function = emulator.Module(FILE).function("broadcast")
    with pytest.raises(OptionError, match='mode="check"'):
        function((1,), (32,), (floats(5), floats(32), np.int32(5)), statistics=True)
