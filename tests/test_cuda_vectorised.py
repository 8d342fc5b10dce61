"""Kernels that take 16 bytes a thread: sectors, tails, views, and who is chosen."""

import mmap
from collections import Counter
from dataclasses import fields, replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from gpuconv import battery, emulator, registry
from gpuconv.cuda import BLOCK, aligned
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.emulator.function import Function
from gpuconv.kernels import _cuda as shared

pytestmark = pytest.mark.emulated
KNOWN = {
    op.name: (op, kernel)
    for op in registry.ops().values()
    for kernel in op.kernels()
    if kernel.name == "cuda:vectorised"
}
every = pytest.mark.parametrize("name", KNOWN)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def problem_of(op, size, dtype="float32"):
    """A problem of the op with as many elements."""
    first = next(iter(op.cases())).astype(dtype)
    known = {field.name for field in fields(first)}
    return replace(first, size=size) if "size" in known else replace(first, shape=(size,))


def scalar_kernel(op):
    """The kernel of the same op that takes one element at a time."""
    (kernel,) = [k for k in op.kernels() if k.backend == "cuda" and k.algorithm != "vectorised"]
    return kernel


def placed(values, shift):
    """The values on the emulated GPU, ``shift`` elements behind a multiple of 16 bytes."""
    room = np.zeros(values.size + 64, values.dtype)
    flat = to_device(room, EMULATED)
    start = -flat.ctypes.data % 16 // flat.itemsize + shift
    view = flat[start : start + values.size].reshape(values.shape)
    view[...] = to_device(values, EMULATED)
    return view


def run(op, kernel, problem, shifts=(0,)):
    """The outs; the arrays lie ``shifts`` elements behind 16 bytes, the last for those left."""
    given = battery.draw(op, problem)
    spare = (*shifts, *[shifts[-1]] * 9)
    ins = [placed(a, spare[i]) for i, a in enumerate(given[: len(op.ins)])]
    updates = dict(zip(op.updates, given[len(op.ins) :], strict=True))
    outs = []
    for number, name in enumerate(op.outs):
        shape, dtype = problem.spec(name.rstrip("?"))
        values = updates.get(name, np.zeros(shape, dtype))
        outs.append(placed(values, spare[len(ins) + number]))
    with emulator.options(mode="check"):
        kernel.run(tuple(outs), tuple(ins), problem, None)
    return [to_numpy(out) for out in outs]


@pytest.fixture
def launches(monkeypatch):
    """The statistics of every launch on the emulated GPU."""
    seen = []
    call = Function.__call__

    def counted(self, *args, **options):
        seen.append(call(self, *args, statistics=True, **options))

    monkeypatch.setattr(Function, "__call__", counted)
    return seen


def moved(op, problem):
    """Bytes of full-size arrays that a kernel reads and writes at the least."""
    names = (*op.ins, *op.outs, *op.updates)  # updates are read and written
    sizes = [prod(problem.spec(name.rstrip("?"))[0]) for name in names]
    full = prod(problem.spec(op.outs[0])[0])
    return sizes.count(full) * full * np.dtype(problem.dtype).itemsize


def traffic(counts):
    """Sectors and requests of the accesses of every width; those of one word are left out."""
    sectors, requests = Counter(), Counter()
    for line in counts.lines:
        lone = line.transactions == line.requests  # all lanes read one number
        if line.space == "global" and not lone:
            sectors[line.bytes] += line.transactions
            requests[line.bytes] += line.requests
    return sectors, requests


def test_the_memory_bound_families_have_a_vectorised_kernel():
    assert {"relu", "relu_backward", "elu", "hardtanh", "dropout"} <= set(KNOWN)
    assert {"add", "accumulate", "copy", "zeros", "sgd", "adam"} <= set(KNOWN)


@every
@dtypes
def test_every_byte_once_in_requests_of_16_sectors(name, dtype, launches):
    op, kernel = KNOWN[name]
    problem = problem_of(op, 1024, dtype)
    run(op, kernel, problem)
    (counts,) = launches
    sectors, requests = traffic(counts)
    assert sectors == {16: moved(op, problem) / 32}
    assert requests == {16: sectors[16] / 16}


@pytest.mark.parametrize("name", [n for n in KNOWN if n != "dropout"])
def test_one_element_a_thread_needs_four_times_the_requests(name, launches):
    op, _ = KNOWN[name]
    problem = problem_of(op, 1024)
    run(op, scalar_kernel(op), problem)
    (counts,) = launches
    sectors, requests = traffic(counts)
    assert sectors == {4: moved(op, problem) / 32}
    assert requests == {4: sectors[4] / 4}


def test_four_elements_a_thread_one_by_one_touch_each_sector_four_times(launches):
    op, _ = KNOWN["dropout"]
    run(op, scalar_kernel(op), problem_of(op, 1024))
    (counts,) = launches
    wide = [line for line in counts.lines if line.transactions > line.requests]
    assert [line.ratio for line in wide] == [4.0, 4.0]


@every
@dtypes
@pytest.mark.parametrize("shifts", [(1,), (0, 0, 0, 0, 0, 0, 1), (1, 0)], ids=str)
def test_views_that_start_elsewhere_give_the_same_bits(name, dtype, shifts, launches):
    op, kernel = KNOWN[name]
    for size in (203, 2):
        problem = problem_of(op, size, dtype)
        want = run(op, kernel, problem)
        got = run(op, kernel, problem, shifts)
        for left, right in zip(want, got, strict=True):
            assert left.tobytes() == right.tobytes()
    if shifts == (1,):
        lines = (line for counts in launches[1::2] for line in counts.lines)
        assert {line.bytes for line in lines if line.space == "global"} <= {4, 8}


@every
@dtypes
def test_tails_of_every_length(name, dtype):
    op, kernel = KNOWN[name]
    for size in (0, 1, 2, 3, 4, 5, 6, 7, 130, 1027):
        battery.check(op, kernel, problem_of(op, size, dtype), EMULATED)


@every
@dtypes
def test_one_block_goes_round(name, dtype, monkeypatch):
    monkeypatch.setattr(shared, "grid_for", lambda count, block=BLOCK: (1,))
    op, kernel = KNOWN[name]
    problem = problem_of(op, 9 * BLOCK + 3, dtype)
    for each in (kernel, scalar_kernel(op)):
        battery.check(op, each, problem, EMULATED)
    want, got = run(op, kernel, problem), run(op, kernel, problem, (1,))
    assert [a.tobytes() for a in want] == [a.tobytes() for a in got]


@every
def test_it_is_chosen_and_the_scalar_one_can_be_asked_for(name):
    op, kernel = KNOWN[name]
    for size in (1, 1000, 10**8):
        problem = problem_of(op, size)
        assert registry.choose(op, problem, EMULATED) is kernel
        other = scalar_kernel(op)
        assert registry.choose(op, problem, EMULATED, other.algorithm) is other
        assert kernel.cost(problem, EMULATED) < other.cost(problem, EMULATED)


def test_aligned_looks_at_where_arrays_start():
    whole = placed(np.zeros(64, np.float32), 0)
    assert aligned([whole, whole[4:], whole[8:]], 16)
    assert not aligned([whole, whole[1:]], 16)
    assert aligned([whole[1:]], 4)
    assert aligned([], 16)


def test_aligned_asks_cupy_for_the_pointer(monkeypatch):
    class Pointer:
        ptr = 48

    cupy_array = type("ndarray", (), {"__module__": "cupy", "data": Pointer})
    assert aligned([cupy_array()], 16)
    assert not aligned([cupy_array()], 32)


BEYOND = 2**32 + 77  # unsigned indices wrap there; one element behind the last vector


def test_vectors_beyond_32_bit_indices():
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    x, y = (np.frombuffer(mmap.mmap(-1, 4 * BEYOND, flags=flags), np.float32) for _ in range(2))
    x[-3:] = -1, 3, 5
    folder = Path(shared.__file__).parent
    macros = {"REAL": "float", "INDEX": "long long", "BLOCK": BLOCK}
    module = emulator.Module(folder / "relu" / "cuda_vectorised.cu", macros, [folder], "fast")
    blocks = -(-(BEYOND // 4) // BLOCK)
    counts = np.int64(BEYOND // 4), np.int64(BEYOND)
    module.function("relu")((blocks,), (BLOCK,), (y, x, *counts), blocks=[0, blocks - 1])
    assert y[-3:].tolist() == [0, 3, 5]
