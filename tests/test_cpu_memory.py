"""Memory that is used again: never while anybody has it, never more than the limit."""

import copy
import pickle
import threading
from itertools import pairwise

import numpy as np
import pytest

from gpuconv import device
from gpuconv.cpu import memory
from gpuconv.errors import DeviceError

LARGE = (4, 1 << 14)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.fixture
def shelf(monkeypatch):
    """An empty shelf for this test."""
    made = memory.Shelf(1 << 20)
    monkeypatch.setattr(memory, "SHELF", made)
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("shape", [LARGE, (1 << 18,), (0, 7), (), (3,)])
def test_an_array_like_any_other(shape, dtype):
    array = memory.empty(shape, dtype)
    array.fill(3)
    assert type(array) is np.ndarray
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.aligned
    for twin in (array.copy(), copy.deepcopy(array), pickle.loads(pickle.dumps(array))):
        np.testing.assert_array_equal(twin, array)
        assert not np.shares_memory(twin, array)


def test_large_arrays_begin_at_a_cache_line():
    kept = [memory.empty((size,), "uint8") for size in range(memory.LEAST, memory.LEAST + 9)]
    assert {address(array) % memory.LINE for array in kept} == {0}


def test_memory_comes_back_when_the_last_view_is_gone(shelf):
    first = memory.empty(LARGE, "float32")
    place, view = address(first), first[1:].reshape(-1)[::2]
    del first
    assert address(memory.empty(LARGE, "float32")) != place
    view.fill(7)
    other = memory.empty(LARGE, "float32")
    other.fill(1)
    assert (view == 7).all()
    del view
    assert address(memory.empty(LARGE, "float32")) == place


def test_a_block_serves_sizes_a_little_smaller_and_none_larger(shelf):
    first = memory.empty((100_000,), "uint8")
    place = address(first)
    del first
    assert address(memory.empty((120_000,), "uint8")) != place
    assert address(memory.empty((99_000,), "uint8")) == place


def test_arrays_that_live_do_not_overlap(shelf):
    kept = []
    for _ in range(3):
        more = (memory.empty((size,), "uint8") for size in range(70_000, 200_000, 9973))
        kept = [*kept[::2], *more]
        spans = sorted((address(a), address(a) + a.nbytes) for a in kept)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_idle_memory_stays_below_the_limit(shelf):
    for _ in range(4):
        kept = [memory.empty((100_000 * n,), "uint8") for n in range(1, 6)]
        del kept
        assert 0 <= shelf._idle <= 1 << 20
        assert shelf._idle == sum(b.size for blocks in shelf._blocks.values() for b in blocks)
    memory.empty((3 << 20,), "uint8")
    assert shelf._idle <= 1 << 20
    shelf.clear()
    assert shelf._idle == 0


def test_several_threads(shelf):
    wrong = []

    def work(number):
        for _ in range(200):
            array = memory.empty((1 << 17,), "uint8")
            array.fill(number)
            wrong.extend(array[array != number][:1])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def test_when_there_is_no_memory_what_is_idle_goes_first(shelf, monkeypatch):
    memory.empty((1 << 17,), "uint8")
    assert shelf._idle > 0
    asked, real = [], np.empty

    def scarce(shape, dtype):
        asked.append(shelf._idle)
        if shelf._idle:
            raise MemoryError
        return real(shape, dtype)

    monkeypatch.setattr(np, "empty", scarce)
    assert memory.empty((1 << 18,), "uint8").size == 1 << 18
    assert len(asked) == 2


def test_more_than_there_is_names_the_request():
    with pytest.raises(DeviceError, match=r"out of memory on cpu: wanted [\d,]+ bytes"):
        device.empty((1 << 50,), "float32", device.CPU)
