"""Runs a task of the CPU poolings over all planes, in tasks of some rows each.

The tasks take blocks of channels. Arrays in NCHW are put into blocks of planes in the workspace:
a plane does not care whose image it is, so that no lanes idle but the last block's.
"""

from collections.abc import Callable
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.cpu import layout
from gpuconv.cpu.jit import Bound, Task
from gpuconv.device import Device

from ._numba_axes import Windows

TASKS = 32  # that an operation is cut into, at least, where it can be
BYTES = 4  # of an element
TARGET = 1 << 21  # bytes that planes take in blocks at once, so that they stay in a cache
Run = Callable[[tuple, tuple], None]


def _is_blocked(problem: Any) -> bool:
    return problem.format != "NCHW" and problem.spec("x")[0][-1] > 1


def workspace(*names: str) -> Callable[[Any, Device], int]:
    """Bytes for these arrays in blocks, where they come in NCHW."""

    def size(problem: Any, device: Device) -> int:
        return 0 if _is_blocked(problem) else _chunk(problem, names)[1]

    return size


@lru_cache
def _chunk(problem: Any, names: tuple[str, ...]) -> tuple[int, int]:
    """How many planes are reordered at once, and the bytes that they take in blocks."""
    width, each = _width(problem), sum(prod(_plane(problem, name)) for name in names)
    blocks = max(1, TARGET // (BYTES * width * each))
    blocks = min(blocks, ceil(problem.n * problem.c / width))
    return blocks * width, BYTES * blocks * width * each


def _width(problem: Any) -> int:
    planes = problem.n * problem.c
    return next(lanes for lanes in (4, 8, 16) if planes <= lanes or lanes == 16)


def _plane(problem: Any, name: str) -> tuple[int, ...]:
    return tuple(problem.plain_shape(name)[2:])


def in_blocks(
    run: Run, outs: dict[str, np.ndarray], ins: dict[str, np.ndarray], problem: Any, work: Any
) -> None:
    """``run(outs, ins)`` with arrays in blocks, whatever they are in."""
    if not problem.n:
        return
    if _is_blocked(problem):
        run(tuple(outs.values()), tuple(ins.values()))
        return
    planes = problem.n * problem.c
    flat = {
        name: array.reshape(1, planes, *_plane(problem, name))
        for name, array in {**outs, **ins}.items()
    }
    step = _chunk(problem, tuple(flat))[0]
    for first in range(0, planes, step):
        some = {name: array[:, first : first + step] for name, array in flat.items()}
        places = _places(some, _width(problem), work)
        for name in ins:
            layout.to_blocks(some[name].view(np.float32), places[name].view(np.float32))
        run(tuple(places[name] for name in outs), tuple(places[name] for name in ins))
        for name in outs:
            layout.to_planes(places[name].view(np.float32), some[name].view(np.float32))


def _places(arrays: dict[str, np.ndarray], width: int, work: np.ndarray) -> dict[str, np.ndarray]:
    """A place in the workspace for each array in blocks; the types stay."""
    places, begin = {}, 0
    for name, array in arrays.items():
        shape = (1, ceil(array.shape[1] / width), *array.shape[2:], width)
        end = begin + BYTES * prod(shape)
        places[name], begin = work[begin:end].view(array.dtype).reshape(shape), end
    return places


def walk(task: Task, windows: Windows, result: np.ndarray, **arrays: Any) -> None:
    """Run a task whose indices are the planes of ``result``, cut into parts of some rows."""
    bound, count = _bound(task, windows, *result.shape[:3])
    bound.each(count, **arrays)


@lru_cache
def _bound(task: Task, windows: Windows, n: int, blocks: int, height: int) -> tuple[Bound, int]:
    """The task with its tables and cut, and how many indices it has."""
    part = ceil(height / min(height, ceil(TASKS / (n * blocks))))
    rows, cols, back = windows.rows, windows.cols, windows.back
    table = {"row_begin": rows.begin, "row_count": rows.count, "down": rows.step}
    table |= {"col_begin": cols.begin, "col_count": cols.count, "across": cols.step}
    table |= {"back_begin": back.begin, "back_count": back.count, "back_step": back.step}
    table |= {"row_shares": rows.shares, "col_shares": cols.shares}
    parts = ceil(height / part)
    return task.bind(**windows.sizes, **table, part=part, parts=parts), n * blocks * parts


def average(windows: Windows, outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
    """y = every window's sum times its shares."""
    from . import _numba_tasks as tasks

    def run(outs: tuple, ins: tuple) -> None:
        (y,), (x,) = outs, ins
        walk(tasks.average(y.shape[-1]), windows, y, x=x, y=y)

    in_blocks(run, {"y": outs[0]}, {"x": ins[0]}, problem, work)


def average_gradient(windows: Windows, outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
    """dx = the sum of dy times the shares of the windows that an element lies in."""
    from . import _numba_tasks as tasks

    def run(outs: tuple, ins: tuple) -> None:
        (dx,), (dy,) = outs, ins
        walk(tasks.average_gradient(dx.shape[-1]), windows, dx, dx=dx, dy=dy)

    in_blocks(run, {"dx": outs[0]}, {"dy": ins[0]}, problem, work)
