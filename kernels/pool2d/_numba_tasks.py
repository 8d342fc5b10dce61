"""The loops of the CPU poolings: a result's vector of channels from the vectors that it meets.

An array is (planes, rows, columns, lanes): a plane is an image's block of ``lanes`` channels, of 1
in NCHW. Each task fills ``part`` rows of a plane; the tables say which sources a row and a column
meet (_numba_axes.py). Sums run along a row first, so that no chain of them grows long.
"""

from functools import cache
from typing import Any

import numpy as np

from gpuconv.cpu.jit import floats, ints, task
from gpuconv.cpu.vectors import equal, fma, keep, load, load_ints, select, spread, store, wins

WALK = "h w p q  row_begin row_count down  col_begin col_count across  parts part  "


@cache
def maximum(lanes: int) -> Any:
    """Forward: the first maximum of a window, the first NaN if there is one, and its place."""

    @task(WALK + "x y index channels blocks")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        x = g.x + 4 * plane * g.h * g.w * lanes
        real = min(lanes, g.channels - plane % g.blocks * lanes)
        row_begin, row_count = ints(g.row_begin, (g.p,)), ints(g.row_count, (g.p,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        for p in range(start, min(start + g.part, g.p)):
            for q in range(g.q):
                corner = row_begin[p] * g.w + col_begin[q]
                best, at = spread(np.float32(-np.inf), lanes), spread(np.int32(corner), lanes)
                for r in range(row_count[p]):
                    for s in range(col_count[q]):
                        flat = corner + r * g.down * g.w + s * g.across
                        value = load(x + 4 * flat * lanes, lanes)
                        better = wins(value, best)
                        best = select(better, value, best)
                        at = select(better, spread(np.int32(flat), lanes), at)
                out = 4 * ((plane * g.p + p) * g.q + q) * lanes
                store(best, g.y + out)
                store(keep(at, real), g.index + out)

    return run


@cache
def maximum_gradient(lanes: int) -> Any:
    """Backward: the sum of dy over the windows whose maximum an element was."""

    @task(WALK + "dx dy index")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        begin = 4 * plane * g.p * g.q * lanes
        row_begin, row_count = ints(g.row_begin, (g.h,)), ints(g.row_count, (g.h,))
        col_begin, col_count = ints(g.col_begin, (g.w,)), ints(g.col_count, (g.w,))
        zero = spread(np.float32(0), lanes)
        for h in range(start, min(start + g.part, g.h)):
            for w in range(g.w):
                here, total = spread(np.int32(h * g.w + w), lanes), zero
                corner = row_begin[h] * g.q + col_begin[w]
                for r in range(row_count[h]):
                    for s in range(col_count[w]):
                        at = begin + 4 * (corner + r * g.down * g.q + s * g.across) * lanes
                        chosen = equal(load_ints(g.index + at, lanes), here)
                        total = total + select(chosen, load(g.dy + at, lanes), zero)
                store(total, g.dx + 4 * ((plane * g.h + h) * g.w + w) * lanes)

    return run


@cache
def average(lanes: int) -> Any:
    """Forward or backward: factors of rows and columns times the sum of factors times sources."""

    @task(WALK + "x y  row_source col_source row_result col_result")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        x = g.x + 4 * plane * g.h * g.w * lanes
        row_begin, row_count = ints(g.row_begin, (g.p,)), ints(g.row_count, (g.p,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        row_source, col_source = floats(g.row_source, (g.h,)), floats(g.col_source, (g.w,))
        row_result, col_result = floats(g.row_result, (g.p,)), floats(g.col_result, (g.q,))
        for p in range(start, min(start + g.part, g.p)):
            for q in range(g.q):
                total = spread(np.float32(0), lanes)
                for r in range(row_count[p]):
                    row, line = row_begin[p] + r * g.down, spread(np.float32(0), lanes)
                    for s in range(col_count[q]):
                        col = col_begin[q] + s * g.across
                        value = load(x + 4 * (row * g.w + col) * lanes, lanes)
                        line = fma(value, spread(col_source[col], lanes), line)
                    total = fma(line, spread(row_source[row], lanes), total)
                total = total * spread(row_result[p] * col_result[q], lanes)
                store(total, g.y + 4 * ((plane * g.p + p) * g.q + q) * lanes)

    return run
