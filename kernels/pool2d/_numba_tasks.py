"""The loops of the CPU poolings: a pixel's vector of channels at once.

An array is (planes, rows, columns, lanes): a plane is an image's block of ``lanes`` channels. A
task fills ``part`` rows of a plane; tables say which elements a window meets (_numba_axes.py). A
gradient fills a row from every row of windows that it lies in, and those from left to right.
"""

from functools import cache
from typing import Any

import numpy as np

from gpuconv.cpu.jit import floats, ints, task
from gpuconv.cpu.vectors import equal, keep, load, load_ints, select, spread, store, wins

WALK = (
    "h w p q  row_begin row_count down  col_begin col_count across  "
    "back_begin back_count back_step  row_shares col_shares  parts part  "
)


@cache
def maximum(lanes: int, height: int, width: int) -> Any:
    """The first maximum of a window, the first NaN if there is one, and its place.

    The loops over windows of ``height`` x ``width`` are written out, others (0) are not.
    """

    @task(WALK + "x y index channels blocks")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        real = min(lanes, g.channels - plane % g.blocks * lanes)
        row_begin, row_count = ints(g.row_begin, (g.p,)), ints(g.row_count, (g.p,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        low, zero = spread(np.float32(-np.inf), lanes), spread(np.int32(0), lanes)
        for p in range(start, min(start + g.part, g.p)):
            for q in range(g.q):
                corner, best, at = row_begin[p] * g.w + col_begin[q], low, zero
                x = g.x + 4 * (plane * g.h * g.w + corner) * lanes
                if row_count[p] == height and col_count[q] == width:
                    for r in range(height):  # each by itself: the chain of choices is shorter
                        flat = r * g.down * g.w
                        high, there = (
                            load(x + 4 * flat * lanes, lanes),
                            spread(np.int32(flat), lanes),
                        )
                        for _ in range(1, width):
                            flat += g.across
                            value = load(x + 4 * flat * lanes, lanes)
                            better = wins(value, high)
                            high = select(better, value, high)
                            there = select(better, spread(np.int32(flat), lanes), there)
                        better = wins(high, best)
                        best, at = select(better, high, best), select(better, there, at)
                else:
                    for r in range(row_count[p]):
                        for s in range(col_count[q]):
                            flat = r * g.down * g.w + s * g.across
                            value = load(x + 4 * flat * lanes, lanes)
                            better = wins(value, best)
                            best = select(better, value, best)
                            at = select(better, spread(np.int32(flat), lanes), at)
                out = 4 * ((plane * g.p + p) * g.q + q) * lanes
                store(best, g.y + out)
                store(keep(at + spread(np.int32(corner), lanes), real), g.index + out)

    return run


@cache
def maximum_gradient(lanes: int, width: int) -> Any:
    """The sum of dy over the windows whose maximum an element was; ``width`` as above."""

    @task(WALK + "dx dy index")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        back_begin, back_count = ints(g.back_begin, (g.h,)), ints(g.back_count, (g.h,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        zero = spread(np.float32(0), lanes)
        for h in range(start, min(start + g.part, g.h)):
            row = g.dx + 4 * (plane * g.h + h) * g.w * lanes
            for w in range(g.w):
                store(zero, row + 4 * w * lanes)
            for r in range(back_count[h]):
                windows = (plane * g.p + back_begin[h] + r * g.back_step) * g.q
                for q in range(g.q):
                    corner, at = h * g.w + col_begin[q], 4 * (windows + q) * lanes
                    place = load_ints(g.index + at, lanes) - spread(np.int32(corner), lanes)
                    slope, dx = load(g.dy + at, lanes), row + 4 * col_begin[q] * lanes
                    if col_count[q] == width:
                        for s in range(width):
                            chosen = equal(place, spread(np.int32(s * g.across), lanes))
                            to = dx + 4 * s * g.across * lanes
                            store(load(to, lanes) + select(chosen, slope, zero), to)
                    else:
                        for s in range(col_count[q]):
                            chosen = equal(place, spread(np.int32(s * g.across), lanes))
                            to = dx + 4 * s * g.across * lanes
                            store(load(to, lanes) + select(chosen, slope, zero), to)

    return run


@cache
def average(lanes: int) -> Any:
    """The sum of a window, row by row so that no chain of sums grows long, times its shares."""

    @task(WALK + "x y")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        row_begin, row_count = ints(g.row_begin, (g.p,)), ints(g.row_count, (g.p,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        row_shares, col_shares = floats(g.row_shares, (g.p,)), floats(g.col_shares, (g.q,))
        zero, right, below = spread(np.float32(0), lanes), 4 * g.across, 4 * g.down * g.w * lanes
        right *= lanes
        for p in range(start, min(start + g.part, g.p)):
            for q in range(g.q):
                corner, total = row_begin[p] * g.w + col_begin[q], zero
                x = g.x + 4 * (plane * g.h * g.w + corner) * lanes
                for r in range(row_count[p]):
                    line = zero
                    for s in range(col_count[q]):
                        line = line + load(x + r * below + s * right, lanes)
                    total = total + line
                total = total * spread(row_shares[p] * col_shares[q], lanes)
                store(total, g.y + 4 * ((plane * g.p + p) * g.q + q) * lanes)

    return run


@cache
def average_gradient(lanes: int) -> Any:
    """The sum of dy times the shares of the windows that an element lies in."""

    @task(WALK + "dx dy")
    def run(g, i):
        plane, start = i // g.parts, i % g.parts * g.part
        back_begin, back_count = ints(g.back_begin, (g.h,)), ints(g.back_count, (g.h,))
        col_begin, col_count = ints(g.col_begin, (g.q,)), ints(g.col_count, (g.q,))
        row_shares, col_shares = floats(g.row_shares, (g.p,)), floats(g.col_shares, (g.q,))
        zero = spread(np.float32(0), lanes)
        for h in range(start, min(start + g.part, g.h)):
            row = g.dx + 4 * (plane * g.h + h) * g.w * lanes
            for w in range(g.w):
                store(zero, row + 4 * w * lanes)
            for r in range(back_count[h]):
                p = back_begin[h] + r * g.back_step
                for q in range(g.q):
                    share = spread(row_shares[p] * col_shares[q], lanes)
                    slope = load(g.dy + 4 * ((plane * g.p + p) * g.q + q) * lanes, lanes) * share
                    for s in range(col_count[q]):
                        to = row + 4 * (col_begin[q] + s * g.across) * lanes
                        store(load(to, lanes) + slope, to)

    return run
