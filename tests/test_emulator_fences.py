"""Order between blocks by fences and a counter: right values, and a report where one is missing."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gpuconv import emulator
from gpuconv.emulator.launch import ORDERS

pytestmark = pytest.mark.emulated
FILE = Path(__file__).parent / "cuda" / "fences.cu"
BLOCKS, THREADS = 6, 64
RUNS = list(product(("fast", "check"), ORDERS))
CORRECT = ("one_writes", "all_fence", "one_fences", "a_warp", "a_lane", "chain")
WRONG = ("too_early", "not_joined", "other_counter", "plain_counter")
NOTHING = "(void)0"
WITHOUT = {
    "RELEASE": {"RELEASE": NOTHING},
    "ACQUIRE": {"ACQUIRE": NOTHING},
    "device scope": {"RELEASE": "__threadfence_block()", "ACQUIRE": "__threadfence_block()"},
}


def launch(kernel: str, order: str, mode: str = "check", **macros: str) -> tuple:
    """y, partial and counter after a launch."""
    y = np.zeros(BLOCKS * THREADS, "f4")
    partial, counter = np.full(BLOCKS * THREADS, np.nan, "f4"), np.zeros(16, "i4")
    function = emulator.Module(FILE, macros, mode=mode).function(kernel)
    function((BLOCKS,), (THREADS,), (y, partial, counter), order=order, seed=3)
    return y, partial, counter


@pytest.mark.parametrize(("mode", "order"), RUNS)
@pytest.mark.parametrize("kernel", CORRECT)
def test_the_last_block_reads_what_the_others_wrote(kernel, mode, order):
    y, _, counter = launch(kernel, order, mode)
    assert (y[:THREADS] == sum(range(1, BLOCKS + 1))).all()
    expected = {"one_writes": 0, "a_warp": 12, "a_lane": 12, "chain": 3}
    assert counter[0] == expected.get(kernel, BLOCKS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("missing", WITHOUT)
@pytest.mark.parametrize("kernel", CORRECT)
def test_a_missing_fence_is_reported(kernel, missing, order):
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch(kernel, order, **WITHOUT[missing])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ["all_fence", "one_fences"])
def test_a_barrier_must_stand_between_the_writes_and_the_ticket(kernel, order):
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch(kernel, order, JOIN=NOTHING)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ["a_warp", "a_lane"])
def test_so_must_a_syncwarp_where_a_warp_works_on_its_own(kernel, order):
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch(kernel, order, JOIN_LANES=NOTHING)


@pytest.mark.parametrize("kernel", ["early_reset", "one_acquires"])
def test_what_is_wrong_in_ascending_order_is_reported(kernel):
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch(kernel, "ascending")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", WRONG)
def test_fences_that_order_nothing_are_reported(kernel, order):
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch(kernel, order)


def test_a_ticket_that_is_no_atomic_is_reported():
    with pytest.raises(emulator.RaceError, match="is not ordered with"):
        launch("one_writes", "ascending", PLAIN_TICKET="1")
