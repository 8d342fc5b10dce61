"""tiled: a few pixels with all their channels at a time, whose squares stay in the first cache.

Idea: a window of channels is summed from the squares, one vector for each neighbour; the usual
  power 3/4 is two square roots. In NCHW a vector holds neighbouring pixels, in blocks (formats.py)
  neighbouring channels. The gradient keeps d's shares in a second scratch.
Takes: float32, every shape. Other powers than 3/4 are computed lane by lane, which is slow.
"""

from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from gpuconv.device import Device

from .op import LrnProblem, lrn, lrn_backward

PIXELS = {True: 64, False: 16}  # of a tile in NCHW and in blocks: a scratch of some 10 KiB
WIDTH = 16  # lanes of a vector of pixels
TASKS = 32  # that an operation is cut into, at most


@lru_cache
def _cut(problem: LrnProblem) -> dict[str, int]:
    """The fields that say how the arrays and the scratch lie."""
    shape = problem.spec("x")[0]
    blocks, lanes = shape[1], shape[3] if len(shape) == 4 else 1
    plain, c, s = lanes == 1, problem.c, problem.s
    before, after = (min(reach, c - 1) for reach in (problem.size // 2, (problem.size - 1) // 2))
    tile = PIXELS[plain]
    width = before + blocks * lanes + after
    units = problem.n * ceil(s / tile)
    sizes = {"units": units, "each": max(1, ceil(units / TASKS)), "size": s, "tile": tile}
    sizes |= {"tiles": ceil(s / tile), "image": blocks * s * lanes, "plain": int(plain)}
    walk = {"outer": s, "inner": WIDTH} if plain else {"outer": lanes, "inner": s * lanes}
    place = {"row": tile, "column": WIDTH, "near": tile}
    place = place if plain else {"row": width, "column": lanes, "near": 1}
    ends = {"before": before, "after": after, "room": width * tile}
    return {**sizes, **walk, **place, **ends, "channels": c, "blocks": blocks}


def _tasks(problem: LrnProblem) -> int:
    cut = _cut(problem)
    return ceil(cut["units"] / cut["each"])


def _forward_room(problem: LrnProblem, device: Device) -> int:
    return 4 * _tasks(problem) * _cut(problem)["room"]


def _backward_room(problem: LrnProblem, device: Device) -> int:
    return 2 * _forward_room(problem, device)


def _fields(problem: LrnProblem, work: np.ndarray | None) -> dict[str, Any]:
    factor = -2 * problem.alpha * problem.beta
    numbers = np.array([problem.alpha, problem.k, -problem.beta, factor], np.float32)
    return {**_cut(problem), "numbers": numbers, "is_root": problem.beta == 0.75, "scratch": work}


def _lanes(x: np.ndarray) -> int:
    return x.shape[3] if x.ndim == 4 and x.shape[3] > 1 else WIDTH


DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
}


@lrn.kernel("tiled", workspace=_forward_room, **DECLARED)
def forward(outs, ins, problem, work):
    """y = x * d^-beta."""
    from . import _numba_tasks as tasks

    (y,), (x,) = outs, ins
    tasks.forward(_lanes(x)).each(_tasks(problem), x=x, y=y, **_fields(problem, work))


@lrn_backward.kernel("tiled", workspace=_backward_room, **DECLARED)
def backward(outs, ins, problem, work):
    """The window that hands a channel's pull back is the forward one mirrored."""
    from . import _numba_tasks as tasks

    (dx,), (dy, x) = outs, ins
    fields = _fields(problem, work)
    tasks.backward(_lanes(x)).each(_tasks(problem), x=x, dy=dy, dx=dx, **fields)
