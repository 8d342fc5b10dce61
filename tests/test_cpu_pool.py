"""The CPU's thread pool: every index once, whoever calls, whatever the other threads do."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from gpuconv.cpu import pool as pools
from gpuconv.cpu.jit import floats, task
from gpuconv.cpu.pool import Pool


@task("x size")
def bump(g, i):
    """Add 1 to one element."""
    x = floats(g.x, (g.size,))
    x[i] += 1


@pytest.fixture
def pool():
    made = Pool()
    yield made
    made.close()
    assert not any(thread.is_alive() for thread in made._threads)


def bumped(pool, size, threads):
    """Zeros after a job in which every index adds 1 to its own."""
    x = np.zeros(size, np.float32)
    fields = np.array([x.ctypes.data, size], np.int64)
    pool.run(bump._address, fields.ctypes.data, size, threads)
    return x


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 64, 1000])
def test_every_index_is_done_once(pool, size, threads):
    for _ in range(20):
        assert (bumped(pool, size, threads) == 1).all()
    assert len(pool._threads) == max(0, min(threads, size) - 1)


@pytest.mark.parametrize(("size", "ends"), [(9, [3, 6, 9]), (10, [3, 6, 10]), (3, [1, 2, 3])])
def test_indices_are_dealt_in_order_and_each_part_is_taken_up(pool, size, ends):
    bumped(pool, 40, 5)  # a job of more parts: those of others are none of this one's
    assert (bumped(pool, size, 3) == 1).all()
    tickets = pool._memory[pools.crew.TICKET :: pools.crew.THREAD] & pools.crew.INDEX
    assert tickets[:5].tolist() == [*ends, pools.crew.INDEX, pools.crew.INDEX]


def test_threads_that_slept_are_woken(pool):
    for _ in range(3):
        assert (bumped(pool, 50, 3) == 1).all()
        for thread, bed in zip(pool._threads, pool._beds, strict=True):
            while not (thread.is_alive() and bed.locked()):
                pass
            assert pool._memory[pools.crew.STOP] == 0


def test_several_callers_at_once(pool):
    wrong = []

    def call(seed):
        sizes = np.random.default_rng(seed).integers(1, 200, 300)
        wrong.extend(size for size in sizes if not (bumped(pool, size, 4) == 1).all())

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_nobody_waits_for_a_thread_that_has_not_begun(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(Pool, "_serve", lambda self, me, bed: never.wait())
    pool = Pool()
    assert (bumped(pool, 100, 3) == 1).all()
    assert len(pool._threads) == 2
    never.set()


def test_while_another_has_the_pool_a_caller_works_alone(pool):
    with pool._busy:
        assert (bumped(pool, 100, 3) == 1).all()
    assert pool._threads == []


FORKS = """
import os, sys
import numpy as np
import gpuconv
from gpuconv import ops
from gpuconv.cpu import threads

threads.cores = lambda: 3
x, w = np.ones((4, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)
right = lambda: (ops.conv2d(x, w, algorithm="numba:direct") == 18).all()
sys.argv[1] == "used" and right()
child = os.fork()
if child == 0:
    os._exit(0 if right() else 9)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if right() else 10)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("parent", ["unused", "used"])
def test_a_forked_child_has_threads_of_its_own(parent):
    environment = {**os.environ, "GPUCONV_NUM_THREADS": "3"}
    command = [sys.executable, "-c", FORKS, parent]
    assert subprocess.run(command, env=environment, check=False, timeout=100).returncode == 0


def test_a_process_ends_while_threads_look_for_work():
    code = (
        "import numpy as np; from gpuconv import ops; from gpuconv.cpu import threads\n"
        "threads.cores = lambda: 4\n"
        "x, w = np.ones((4, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)\n"
        "ops.conv2d(x, w, algorithm='numba:direct'); print(threads.get_num_threads())"
    )
    environment = {**os.environ, "GPUCONV_NUM_THREADS": "4"}
    command = [sys.executable, "-c", code]
    for _ in range(5):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("4\n", "")


@pytest.mark.parametrize("given", [{"x": 1}, {"x": 1, "size": 2, "y": 3}, {"x": 1, "y": 3}])
def test_a_task_wants_its_own_fields(given):
    with pytest.raises(TypeError, match="bump: fields that are missing or unknown: .*(size|y)"):
        bump.each(1, **given)


def test_a_bound_task_is_not_given_a_field_twice():
    with pytest.raises(TypeError, match="bump: fields that are missing or unknown: size"):
        bump.bind(x=0).each(1, x=0)
