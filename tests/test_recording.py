"""Recordings: what is played does what was recorded, to other values in the same memory."""

import threading

import numpy as np
import pytest

from gpuconv import battery, cpu, device, registry
from gpuconv.cpu import memory, pool
from gpuconv.cpu import recording as module
from gpuconv.cpu.jit import floats, task
from gpuconv.cpu.recording import EVERYONE, TRIALS, Jobs, Recording, current

RECORDING = [
    (op, kernel) for op in registry.ops().values() for kernel in op.kernels() if kernel.records
]


@task("x y size")
def double(g, i):
    """y = 2 x."""
    x, y = floats(g.x, (g.size,)), floats(g.y, (g.size,))
    y[i] = 2 * x[i]


def doubled(x):
    y = memory.empty(x.shape, x.dtype)
    double.each(x.size, x=x, y=y, size=x.size)
    return y


@pytest.fixture(params=[1, 2])
def threads(request, monkeypatch):
    monkeypatch.setenv("GPUCONV_NUM_THREADS", str(request.param))
    monkeypatch.setattr(cpu.threads, "cores", lambda: 2)


def test_jobs_and_calls_are_played_in_their_order(threads):
    x, recording = np.arange(5, dtype=np.float32), Recording()
    with recording.under_way():
        y = doubled(doubled(x))
        cpu.host(np.add, y, 1, y)
        z = doubled(y)
    np.testing.assert_array_equal(z, 8 * x + 2)
    assert [type(step) is Jobs for step in recording.steps] == [True, False, True]
    for factor in (3, -1):
        x[...] = factor * np.arange(5)
        recording.play()
        np.testing.assert_array_equal(z, 8 * x + 2)


@pytest.mark.parametrize(
    ("alone", "shared", "short", "helpers"),
    [(2.0, 3.0, 9.0, 0), (3.0, 2.0, 9.0, EVERYONE), (2.0, 3.0, 1.0, EVERYONE)],
    ids=["alone is faster", "sharing is faster", "long jobs are shared"],
)
def test_a_job_keeps_the_way_that_was_faster(monkeypatch, alone, shared, short, helpers):
    monkeypatch.setitem(cpu.threads._state, "threads", 2)
    monkeypatch.setattr(cpu.threads, "cores", lambda: 2)
    monkeypatch.setattr(module, "SHORT", short)
    clock = iter(np.cumsum([1e6, shared, 1e6, alone] * (TRIALS // 2)).tolist())
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    x, recording = np.arange(5, dtype=np.float32), Recording()
    with recording.under_way():
        y = doubled(x)
    (jobs,) = recording.steps
    for turn in range(TRIALS + 1):
        x[...] = turn
        recording.play()
        assert (y == 2 * turn).all()
        tried = EVERYONE if turn % 2 == 0 or short < shared else 0
        assert jobs._table[0, -1] == tried or turn >= TRIALS - 1
    assert jobs._table[0, -1] == helpers


def test_a_part_is_played_by_itself():
    x, recording = np.ones(3, np.float32), Recording()
    with recording.under_way():
        y = doubled(x)
        cpu.host(y.fill, 0)
    middle = len(recording.steps)
    with recording.under_way():
        cpu.host(y.fill, 9)
    recording.play(0, 1)
    assert y[0] == 2
    recording.play(middle)
    assert y[0] == 9


def test_its_memory_is_its_own():
    x, recording = np.ones(1 << 15, np.float32), Recording()
    with recording.under_way():
        place = memory.empty((7,), "float32").__array_interface__["data"][0]
        again = memory.empty((7,), "float32")
        assert again.__array_interface__["data"][0] == place  # as nobody had it any more
        kept = doubled(x)
    del again
    outside = [memory.empty(shape, "float32") for shape in ((7,), x.shape) for _ in range(20)]
    for array in outside:
        array.fill(5)
    recording.play()
    assert (kept == 2).all()
    assert all((array == 5).all() for array in outside)


def test_nothing_is_recorded_outside_nor_in_a_call_to_the_host():
    x, recording = np.ones(3, np.float32), Recording()
    with recording.under_way():
        assert current() is recording
        cpu.host(lambda: doubled(x))
        assert current() is recording
    doubled(x)
    assert current() is None
    assert len(recording.steps) == 1


def test_another_thread_is_not_recorded():
    x, recording = np.ones(3, np.float32), Recording()
    with recording.under_way():
        other = threading.Thread(target=doubled, args=(x,))
        other.start()
        other.join()
    assert recording.steps == []


def test_a_pool_that_another_thread_has_does_not_stop_it(threads):
    x, recording = np.ones(500, np.float32), Recording()
    with recording.under_way():
        y = doubled(x)
    x.fill(4)
    with pool.pool()._busy:
        recording.play()
    assert (y == 8).all()


@pytest.mark.parametrize(("op", "kernel"), RECORDING, ids=lambda thing: thing.name)
def test_every_kernel_that_records(op, kernel):
    for problem in op.cases():
        for format in kernel.formats:
            if format == "NCHW":
                played(op, kernel, problem)
        for problem_in_blocks in battery.blocked_cases(op, kernel, f"NCHWc{cpu.simd.width()}"):
            if problem_in_blocks.plain == problem:
                played(op, kernel, problem_in_blocks)


def played(op, kernel, problem):
    """Assert that a recording made on some values gives other values' bits."""
    if kernel.objection(problem, device.CPU, registry.current_limits()) is not None:
        return
    for optional in battery.variants(op):
        some, other = (
            battery.formatted(op, problem, battery.draw(op, problem.plain, seed, optional))
            for seed in (0, 1)
        )
        want = battery.outs_of(op, kernel, problem, device.CPU, other)
        call, recording = Call(op, kernel, problem, some), Recording()
        with recording.under_way():
            call.run()
        noise = [np.full(size, 0x7F, np.uint8) for size in range(16, 4096, 16)]
        call.refill(other)
        recording.play()
        del noise
        for name, out, expected in zip(op.outs, call.outs, want, strict=True):
            if out is not None:
                assert out.tobytes() == expected.tobytes(), f"{op.name} {problem}: {name}"


class Call:
    """The arrays of one call of a kernel."""

    def __init__(self, op, kernel, problem, arrays):
        self.op, self.kernel, self.problem = op, kernel, problem
        self.ins = [None if a is None else np.empty_like(a) for a in arrays[: len(op.ins)]]
        updates = dict(zip(op.updates, arrays[len(op.ins) :], strict=True))
        self.outs = [
            None if updates.get(name, 0) is None else np.empty(*problem.spec(name.rstrip("?")))
            for name in op.outs
        ]
        size = kernel.workspace(problem, device.CPU)
        self.work = memory.empty((size,), "uint8") if size else None
        self.refill(arrays)

    def refill(self, arrays):
        """Put these ins and updates in place; the rest is NaN."""
        for array in (*self.outs, self.work):
            if array is not None:
                array.reshape(-1).view(np.uint8).fill(0xFF)
        updated = [
            out
            for name, out in zip(self.op.outs, self.outs, strict=True)
            if name in self.op.updates
        ]
        for array, values in zip((*self.ins, *updated), arrays, strict=True):
            if array is not None:
                array[...] = values

    def run(self):
        self.kernel.run(tuple(self.outs), tuple(self.ins), self.problem, self.work)
