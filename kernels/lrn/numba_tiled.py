"""tiled: a few pixels with all their channels at a time, whose squares stay in the first cache.

Idea: a window of channels is summed from the squares, one vector for each neighbour; the usual
  power 3/4 is two square roots. In NCHW a vector holds neighbouring pixels, in blocks (formats.py)
  neighbouring channels. The gradient keeps what each d hands back in a second scratch.
Takes: float32, every shape. Other powers than 3/4 are computed lane by lane, which is slow.
"""

from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from gpuconv.device import Device

from .._cpu_cost import measured
from .op import LrnProblem, lrn, lrn_backward

PIXELS = {True: 64, False: 16}  # of a tile in NCHW and in blocks: a scratch of some 10 KiB
WIDTH = 16  # lanes of a vector of pixels
TASKS = 32  # that an operation is cut into, at most


@lru_cache
def _cut(problem: LrnProblem) -> dict[str, int]:
    """The fields that say how the arrays and the scratch lie."""
    shape, c, s = problem.spec("x")[0], problem.c, problem.s
    lanes = shape[3] if len(shape) == 4 else 1
    plain, width = lanes == 1, shape[1] * lanes
    before, after = (min(reach, c - 1) for reach in (problem.size // 2, (problem.size - 1) // 2))
    tile = PIXELS[plain]
    tiles, wide = ceil(s / tile), before + width + after
    units = problem.n * tiles
    sizes = {"units": units, "each": max(1, ceil(units / TASKS)), "size": s, "tile": tile}
    sizes |= {"tiles": tiles, "image": width * s, "plain": int(plain), "room": wide * tile}
    walk = {"outer": s, "inner": WIDTH} if plain else {"outer": lanes, "inner": s * lanes}
    place = (tile, WIDTH, tile) if plain else (wide, lanes, 1)
    walk |= dict(zip(("row", "column", "near"), place, strict=True))
    return {**sizes, **walk, "before": before, "after": after, "channels": c, "width": width}


def _tasks(problem: LrnProblem) -> int:
    cut = _cut(problem)
    return ceil(cut["units"] / cut["each"])


def _forward_room(problem: LrnProblem, device: Device) -> int:
    return 4 * _tasks(problem) * _cut(problem)["room"]


def _backward_room(problem: LrnProblem, device: Device) -> int:
    return 2 * _forward_room(problem, device)


@lru_cache
def _bound(problem: LrnProblem, is_backward: bool) -> Any:
    """The task, with all that depends on the problem alone."""
    from . import _numba_tasks as tasks

    shape, factor = problem.spec("x")[0], -2 * problem.alpha * problem.beta
    lanes = shape[3] if len(shape) == 4 and shape[3] > 1 else WIDTH
    numbers = np.array([problem.alpha, problem.k, -problem.beta, factor], np.float32)
    task = (tasks.pulls if is_backward else tasks.forward)(lanes)
    return task.bind(**_cut(problem), numbers=numbers, is_root=int(problem.beta == 0.75))


DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
    "records": True,
}


_cost, _backward_cost = measured(lrn, 5e-5, 1.2), measured(lrn_backward, 9e-5, 1.8)


@lrn.kernel("tiled", workspace=_forward_room, cost=_cost, **DECLARED)
def forward(outs, ins, problem, work):
    """y = x * d^-beta."""
    (y,), (x,) = outs, ins
    _bound(problem, False).each(_tasks(problem), x=x, y=y, scratch=work)


@lrn_backward.kernel("tiled", workspace=_backward_room, cost=_backward_cost, **DECLARED)
def backward(outs, ins, problem, work):
    """The window that hands a channel's pull back is the forward one mirrored."""
    (dx,), (dy, x) = outs, ins
    _bound(problem, True).each(_tasks(problem), x=x, dy=dy, dx=dx, scratch=work)
