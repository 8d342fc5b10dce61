"""Faults planted in Python kernels: each is reported in every order, at its line."""

import ast
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.options import ORDERS, Options

pytestmark = pytest.mark.numba_cuda
FILE = Path(__file__).parent / "numba_planted.py"
LINES = FILE.read_text().splitlines()
TREE = [node for node in ast.parse(FILE.read_text()).body if isinstance(node, ast.FunctionDef)]
BODIES = {node.name: LINES[node.lineno : node.end_lineno] for node in TREE}
START = {node.name: node.lineno + 1 for node in TREE}
KERNELS = [name for name in BODIES if name != "meet"]
BLOCKS = {"race_between_blocks": (2, 32), "read_of_another_block": (2, 32)}


def expected(kernel):
    """What may be reported: name of the error and line -> thread (None: any)."""
    found = {}
    for name in (kernel, *re.findall(r"# see (\w+)", "\n".join(BODIES[kernel]))):
        for number, line in enumerate(BODIES[name], START[name]):
            comment = re.search(r"# ([A-Z]\w+Error(?: [A-Z]\w+Error)*)(?: (\d+))?$", line)
            thread = int(comment[2]) if comment and comment[2] else None
            found |= {(e, number): thread for e in (comment[1].split() if comment else ())}
    return found


def arrays():
    return np.zeros(64), np.arange(64.0)


def launch(kernel, order, args, mode="check"):
    grid, block = BLOCKS.get(kernel, (1, 64))
    function = emulator.NumbaFunction(getattr(import_module("numba_planted"), kernel))
    function((grid,), (block,), args, Options(mode, order, 5))


def fault(kernel, order="ascending"):
    with pytest.raises(emulator.EmulatorError) as caught:
        launch(kernel, order, arrays())
    return caught.value


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_planted_fault(kernel, order):
    error, faults = fault(kernel, order), expected(kernel)
    assert (error.kernel, error.file) == (kernel, str(FILE))
    assert (type(error).__name__, error.line) in faults
    thread = faults[type(error).__name__, error.line]
    assert error.thread in (
        [(thread, 0, 0)] if thread is not None else [(i, 0, 0) for i in range(64)]
    )
    assert error.block in [(i, 0, 0) for i in range(BLOCKS.get(kernel, (1,))[0])]


def test_every_planted_kernel_says_what_is_wrong_with_it():
    assert len(KERNELS) > 25
    assert all(expected(kernel) for kernel in KERNELS)


def test_a_report_reads():
    assert str(fault("negative_index")) == (
        f"{FILE}:{START['negative_index']}: negative_index: write of [-1] of y, but its shape is "
        "(64,) [thread (0,0,0) of block (0,0,0)]"
    )


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (
            "early_exit",
            "syncthreads: not all of its threads reach it: 50 of them, first thread 0, at",
        ),
        ("early_exit", "14 of them, first thread 50, ended before"),
        ("two_barriers", "54 of them, first thread 10, at syncthreads in line"),
        ("shuffle_missing_lane", "1 of them, first thread 7, ended before"),
        ("shuffle_outside_mask", "shfl_sync: reads from lane 20, which takes no part"),
        ("mask_without_itself", "shfl_sync: its mask leaves out the lane that calls it"),
        ("uninitialized_shared", "read of [5] of the shared array of line"),
        ("missing_second_sync", "is not ordered with the write by thread 31 of the same block"),
        ("write_after_many_read", "is not ordered with the read by several threads of the same"),
        ("race_between_blocks", "is not ordered with the write by thread 0 of another block"),
        ("shared_memory_beyond_a_block", "56000 bytes of shared memory; it must have a constant"),
        ("dynamic_shared_memory", "dynamic shared memory"),
        ("what_numba_does_not_have", "AttributeError: 'Watched' object has no attribute 'sort'"),
    ],
)
def test_a_report_says_who_and_where(kernel, text):
    assert text in str(fault(kernel))


def test_a_fault_leaves_the_arrays_as_they_were():
    y, x = arrays()
    with pytest.raises(emulator.BoundsError):
        launch("global_write", "ascending", (y, x))
    assert not y.any()


@pytest.mark.parametrize("kernel", ["missing_atomic", "race_between_blocks"])
def test_fast_mode_lets_a_race_pass(kernel):
    y, x = arrays()
    launch(kernel, "ascending", (y, x), mode="fast")
    assert y[0] == (x.sum() if kernel == "missing_atomic" else 1)


def test_fast_mode_shows_what_nobody_wrote_as_nan():
    y, x = arrays()
    launch("uninitialized_shared", "ascending", (y, x), mode="fast")
    assert np.isnan(y[5])


def test_fast_mode_finds_a_missing_barrier_by_its_values():
    y, x = arrays()
    launch("missing_sync", "ascending", (y, x), mode="fast")
    assert np.isnan(y[:32]).all()


def test_fast_mode_reports_an_index_beyond_the_end():
    with pytest.raises(emulator.BoundsError, match="index 64 is out of bounds"):
        launch("global_write", "ascending", arrays(), mode="fast")


def test_fast_mode_reports_divergence():
    with pytest.raises(emulator.BarrierError):
        launch("early_exit", "ascending", arrays(), mode="fast")
