"""Runs a task of the CPU poolings over all planes, in tasks of some rows each.

The tasks take blocks of channels. Arrays in NCHW are put into blocks of planes in the workspace:
a plane does not care whose image it is, so that no lanes idle but the last block's.
"""

from collections.abc import Callable
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.cpu import layout
from gpuconv.device import Device

from ._numba_axes import Windows

TASKS = 32  # that an operation is cut into, at least, where it can be
BYTES = 4  # of an element
Run = Callable[[tuple, tuple], None]


def _is_blocked(problem: Any) -> bool:
    return problem.format != "NCHW" and problem.spec("x")[0][-1] > 1


def _shape(problem: Any, name: str) -> tuple[int, ...]:
    """An array in blocks of planes."""
    n, c, h, w = problem.plain_shape(name)
    width = next(lanes for lanes in (4, 8, 16) if n * c <= lanes or lanes == 16)
    return 1, ceil(n * c / width), h, w, width


def workspace(*names: str) -> Callable[[Any, Device], int]:
    """Bytes for these arrays in blocks, where they come in NCHW."""

    def size(problem: Any, device: Device) -> int:
        if _is_blocked(problem):
            return 0
        return BYTES * sum(prod(_shape(problem, name)) for name in names)

    return size


def in_blocks(
    run: Run, outs: dict[str, np.ndarray], ins: dict[str, np.ndarray], problem: Any, work: Any
) -> None:
    """``run(outs, ins)`` with arrays in blocks, whatever they are in."""
    if not problem.n or _is_blocked(problem):
        run(tuple(outs.values()), tuple(ins.values())) if problem.n else None
        return
    places, begin = {}, 0
    for name, array in {**outs, **ins}.items():
        shape = _shape(problem, name)
        part = work[begin : begin + BYTES * prod(shape)]
        places[name], begin = part.view(array.dtype).reshape(shape), begin + part.size
    for name, array in ins.items():
        layout.to_blocks(_planes(problem, name, array), places[name].view(np.float32))
    run(tuple(places[name] for name in outs), tuple(places[name] for name in ins))
    for name, array in outs.items():
        layout.to_planes(places[name].view(np.float32), _planes(problem, name, array))


def _planes(problem: Any, name: str, array: np.ndarray) -> np.ndarray:
    """(1, N * C, H, W), bits of whatever type as float32."""
    n, c, h, w = problem.plain_shape(name)
    return array.reshape(1, n * c, h, w).view(np.float32)


def walk(task: Any, windows: Windows, result: np.ndarray, problem: Any, **fields: Any) -> None:
    """Run a task whose indices are the planes of ``result``, cut into parts of some rows."""
    planes, height = result.shape[0] * result.shape[1], result.shape[2]
    part = ceil(height / min(height, ceil(TASKS / planes)))
    parts, rows, cols = ceil(height / part), windows.rows, windows.cols
    table = {"row_begin": rows.begin, "row_count": rows.count, "down": rows.step}
    table |= {"col_begin": cols.begin, "col_count": cols.count, "across": cols.step}
    sizes = {"h": problem.h, "w": problem.w, "p": problem.p, "q": problem.q}
    task.each(planes * parts, **sizes, **table, parts=parts, part=part, **fields)


def back(windows: Windows) -> dict[str, Any]:
    """The fields that say which windows a row lies in."""
    axis = windows.back
    return {"back_begin": axis.begin, "back_count": axis.count, "back_step": axis.step}


def average(windows: Windows, outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
    """y = every window's sum times its shares."""
    from . import _numba_tasks as tasks

    def run(outs: tuple, ins: tuple) -> None:
        (y,), (x,), task = outs, ins, tasks.average(outs[0].shape[-1])
        walk(task, windows, y, problem, x=x, y=y, **_shares(windows))

    in_blocks(run, {"y": outs[0]}, {"x": ins[0]}, problem, work)


def average_gradient(windows: Windows, outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
    """dx = the sum of dy times the shares of the windows that an element lies in."""
    from . import _numba_tasks as tasks

    def run(outs: tuple, ins: tuple) -> None:
        (dx,), (dy,), task = outs, ins, tasks.average_gradient(outs[0].shape[-1])
        fields = {**_shares(windows), **back(windows)}
        walk(task, windows, dx, problem, dx=dx, dy=dy, **fields)

    in_blocks(run, {"dx": outs[0]}, {"dy": ins[0]}, problem, work)


def _shares(windows: Windows) -> dict[str, np.ndarray]:
    return {"row_shares": windows.rows.shares, "col_shares": windows.cols.shares}
