"""What this CPU can do at most: multiply-adds from registers, and copying from memory to memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv import cpu
from gpuconv.cpu import native

from ..measure import interleaved

SIZE = 1 << 26  # elements copied: 256 MiB, more than any cache holds
PIECE = 1 << 20
DEPTH, STEPS, TIMES = 16, 16, 512  # of a tile's code, times that it loops, and calls of it
CHANNELS = 64  # a usual number, for the tile that convolutions take


@dataclass(frozen=True)
class Ceilings:
    """Operations a second (2 per multiply-add), and bytes a second read plus written."""

    flops: float
    bandwidth: float


def ceilings() -> Ceilings:
    """Measured now, on all threads in force, best of several runs."""
    multiply, operations = _multiply()
    copy, moved = _copy()
    rivals = interleaved({"multiply": multiply, "copy": copy}, seconds=2.0, rounds=20)
    best = {name: rivals.timing(name).shortest for name in ("multiply", "copy")}
    return Ceilings(operations / best["multiply"], moved / best["copy"])


def _multiply() -> tuple[Any, int]:
    from .tasks import repeat

    lanes = cpu.lanes_for(CHANNELS)
    rows = cpu.rows_for(lanes)
    tile = cpu.Product(rows, lanes, DEPTH, DEPTH, 1)
    a, b = np.ones((rows, DEPTH), np.float32), np.ones((STEPS, DEPTH, lanes), np.float32)
    count = 4 * cpu.get_num_threads()
    c = np.empty((count, rows, lanes), np.float32)
    fields = {"tile": native.address(tile), "a": a, "b": b, "c": c, "size": rows * lanes}
    operations = 2 * count * TIMES * STEPS * rows * lanes * DEPTH
    return lambda: repeat.each(count, **fields, times=TIMES, steps=STEPS), operations


def _copy() -> tuple[Any, int]:
    from .tasks import copy

    x, y = np.ones(SIZE, np.float32), np.zeros(SIZE, np.float32)
    return lambda: copy.each(SIZE // PIECE, x=x, y=y, size=PIECE), x.nbytes + y.nbytes
