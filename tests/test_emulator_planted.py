"""Faults planted in CUDA kernels: each is reported in every order, at its line, with its thread."""

import re
from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.launch import ORDERS

pytestmark = pytest.mark.emulated
FILE = (Path(__file__).parent / "cuda" / "planted.cu").resolve()
LINES = FILE.read_text().splitlines()


def floats(*sizes: int) -> tuple:
    return tuple(np.zeros(size, "f4") for size in sizes)


def integers(value: int) -> tuple:
    return np.zeros(32, "i4"), np.int32(value)


def rows(count: int) -> np.ndarray:
    return np.zeros(count, [("value", "f4", 33)])


# kernel: grid, block, arguments, options
CASES = {
    "global_write": (1, 32, lambda: (*floats(31), np.int32(31)), {}),
    "global_read": (1, 32, lambda: floats(32, 32), {}),
    "struct_copy": (1, 32, lambda: tuple(rows(n) for n in (31, 32)), {}),
    "global_neighbour": (1, 32, lambda: tuple(np.zeros((2, 32), "f4")), {}),
    "const_argument": (1, 32, lambda: floats(32), {}),
    "shared_index": (1, 32, lambda: floats(32), {}),
    "shared_pointer": (1, 32, lambda: floats(32), {}),
    "shared_neighbour": (1, 32, lambda: (*floats(32), np.int32(0)), {}),
    "shared_dynamic": (1, 32, lambda: floats(32), {"shared_mem": 100}),
    "local_array": (1, 32, lambda: (*floats(32), np.int32(4)), {}),
    "uninitialized_shared": (1, 64, lambda: floats(64), {}),
    "uninitialized_output": (1, 32, lambda: floats(32), {"uninitialized": (0,)}),
    "missing_sync": (1, 64, lambda: floats(64), {}),
    "missing_second_sync": (1, 64, lambda: floats(256, 64), {}),
    "missing_syncwarp": (1, 32, lambda: floats(32), {}),
    "wrong_syncwarp_mask": (1, 32, lambda: floats(32), {}),
    "race_between_blocks": (2, 32, lambda: floats(32), {}),
    "missing_atomic": (1, 32, lambda: floats(1), {}),
    "read_beside_atomic": (1, 32, lambda: floats(1, 32), {}),
    "total_of_all_blocks": (2, 32, lambda: floats(1, 2), {}),
    "divergent_barrier": (1, 32, lambda: floats(32), {}),
    "two_barriers": (1, 32, lambda: floats(32), {}),
    "early_exit": (1, 64, lambda: (*floats(64, 64), np.int32(50)), {}),
    "shuffle_missing_lane": (1, 32, lambda: integers(0)[:1], {}),
    "shuffle_outside_mask": (1, 32, lambda: integers(0)[:1], {}),
    "misaligned": (1, 32, lambda: floats(32, 32), {}),
    "shift": (1, 32, lambda: integers(40), {}),
    "overflow": (1, 32, lambda: integers(1 << 20), {}),
    "division": (1, 32, lambda: integers(0), {}),
    "null_pointer": (1, 32, lambda: (None, *floats(32)), {}),
    "trap": (1, 32, lambda: floats(32), {}),
    "missing_copy_wait": (1, 32, lambda: floats(128, 32), {}),
    "late_copy_wait": (1, 32, lambda: floats(256, 32), {}),
    "copy_without_barrier": (1, 32, lambda: floats(128, 32), {}),
    "uncommitted_copy": (1, 32, lambda: floats(128, 32), {}),
    "copy_into_use": (1, 32, lambda: floats(128, 32), {}),
    "misaligned_copy": (1, 32, lambda: floats(128), {}),
    "copy_past_the_end": (1, 32, lambda: floats(128), {}),
    "before_dynamic": (1, 32, lambda: floats(32), {"shared_mem": 128}),
    "misaligned_shared": (1, 32, lambda: floats(32), {}),
    "read_of_another_block": (2, 32, lambda: floats(2, 64), {}),
    "race_for_a_byte": (1, 32, lambda: (np.zeros(16, bool),), {}),
    "barrier_in_an_uneven_loop": (1, 32, lambda: (*floats(40), np.int32(40)), {}),
    "syncwarp_missing_lane": (1, 32, lambda: floats(32), {}),
}


def body(start: str) -> tuple[int, int]:
    """First and last line of the function whose head holds ``start``, as indices."""
    first = next(i for i, line in enumerate(LINES) if start in line)
    return first, next(i for i in range(first, len(LINES)) if LINES[i] == "}")


def expected(kernel: str) -> dict[tuple[str, int], int | None]:
    """What may be reported: name of the error and line -> thread (None: any)."""
    found = {}
    first, last = body(f"void {kernel}(")
    for number, line in enumerate(LINES[first:last], first + 1):
        comment = re.search(r"// (in put: )?([A-Z]\w+Error(?: \w+Error)*)(?: (\d+))?$", line)
        if comment:
            where = body("void put(")[0] + 2 if comment[1] else number
            thread = int(comment[3]) if comment[3] else None
            found |= {(name, where): thread for name in comment[2].split()}
    return found


@pytest.fixture(scope="module")
def module() -> emulator.Module:
    return emulator.Module(FILE, mode="check")


def launch(module: emulator.Module, kernel: str, order: str, args: tuple | None = None) -> None:
    grid, block, make, options = CASES[kernel]
    function = module.function(kernel)
    function((grid,), (block,), args or make(), order=order, seed=5, **options)


def clang_does_not_see(kernel: str) -> bool:
    return kernel == "misaligned" and "clang" in emulator.available()[1]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", CASES)
def test_planted_fault(module, kernel, order):
    if clang_does_not_see(kernel):
        pytest.skip("clang++ checks no alignment where a struct is copied")
    with pytest.raises(emulator.EmulatorError) as caught:
        launch(module, kernel, order)
    error, faults = caught.value, expected(kernel)
    assert (error.kernel, error.file) == (kernel, str(FILE))
    assert (type(error).__name__, error.line) in faults
    thread = faults[type(error).__name__, error.line]
    grid, block = CASES[kernel][:2]
    assert error.thread[0] in (range(block) if thread is None else [thread])
    assert error.thread[1:] == (0, 0)
    assert error.block[0] in range(grid)
    assert error.block[1:] == (0, 0)
    assert str(error).startswith(f"{FILE}:{error.line}: {kernel}: ")


def test_every_planted_kernel_is_run():
    kernels = re.findall(r'extern "C" __global__ void (\w+)\(', FILE.read_text())
    assert kernels == list(CASES)
    assert all(expected(kernel) for kernel in kernels)


def message(module: emulator.Module, kernel: str, args: tuple | None = None) -> str:
    with pytest.raises(emulator.EmulatorError) as caught:
        launch(module, kernel, "ascending", args)
    return str(caught.value)


def test_planted_overrun_names_the_shared_array_that_was_meant(module):
    (y,) = floats(32)
    over = message(module, "shared_neighbour", (y, np.int32(0)))
    assert "4 bytes past the end of shared_neighbour::first of 128 bytes" in over
    under = message(module, "shared_neighbour", (y, np.int32(1)))
    assert "4 bytes before shared_neighbour::second of 128 bytes" in under


def test_planted_race_names_both_places(module):
    line = next(n for n, text in enumerate(LINES, 1) if "s[threadIdx.x] = x[r * 64" in text)
    text = message(module, "missing_second_sync")
    assert "is not ordered with the write by thread 31 of the same block" in text
    assert f"at {FILE}:{line} [" in text
    assert "thread 0 of block number 0" in message(module, "race_between_blocks")


def test_planted_barrier_says_who_waits_where(module):
    text = message(module, "early_exit")
    assert "14 of them, first thread 50, ended before" in text
    assert "50 of them, first thread 0, at __syncthreads in line" in text


def test_planted_fault_leaves_the_arrays_and_the_module_as_they_were(module):
    (y,) = floats(31)
    message(module, "global_write", (y, np.int32(31)))
    assert not y.any()
    function = module.function("global_write")
    function((1,), (32,), (y, np.int32(30)))
    assert y.all()


def test_fast_mode_lets_a_race_pass():
    y = floats(1)[0]
    emulator.Module(FILE).function("missing_atomic")((1,), (32,), (y,))
    assert y[0] == 32


def test_planted_missing_wait_changes_the_values_of_fast_mode_in_some_order():
    """Copies land at their issue in one order, in the other at the wait, which never comes."""
    function = emulator.Module(FILE).function("missing_copy_wait")
    x, found = np.arange(128, dtype="f4"), {}
    for order in ("ascending", "descending"):
        found[order] = floats(32)[0]
        function((1,), (32,), (x, found[order]), order=order)
    assert np.array_equal(found["ascending"], x[::4])
    assert np.isnan(found["descending"]).all()


FAR = """
extern "C" __global__ void far(float* y, unsigned bytes, int write) {
  __shared__ float s[32];
  s[threadIdx.x] = 1.0f;
  __syncthreads();
  float* p = (float*)((char*)s + bytes);
  if (write) *p = 2.0f;
  y[threadIdx.x] = *p;
}
"""


@pytest.mark.parametrize("write", [0, 1])
@pytest.mark.parametrize("distance", [128, 256, 1000, 1 << 16, 1 << 30])
def test_planted_overrun_is_reported_however_far_behind_a_shared_array(distance, write):
    function = emulator.Module(FAR, mode="check").function("far")
    with pytest.raises(emulator.BoundsError) as caught:
        function((1,), (32,), (*floats(32), np.uint32(128 + distance), np.int32(write)))
    assert (caught.value.kernel, caught.value.line) == ("far", 7 if write else 8)
