"""The loops of the CPU's local response normalisation, over tiles of a few pixels.

A tile's squares lie in a scratch with zeros where neighbours would be beyond the channels. In NCHW
it is (channels, pixels): ``u`` is a channel, and ``v`` a vector of pixels. In blocks it is (pixels,
channels): ``u`` is a pixel, and ``v`` a vector of channels. Either way neighbours are loaded
``near`` elements apart, and a window's sum is one load for each of its channels.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from gpuconv.cpu.jit import floats, task
from gpuconv.cpu.vectors import fma, load, load_some, power, spread, sqrt, store, store_some

TILES = (
    "units each size tile tiles image plain  channels width outer inner  "
    "scratch room row column near before after  numbers is_root  "
)


@numba.njit
def shrink(d, one, exponent, is_root):
    """d^-beta; the usual 3/4 by two square roots."""
    if is_root:
        root = sqrt(d)
        return one / (root * sqrt(root))
    return power(d, exponent)


@numba.njit
def tile_of(g, unit, lanes):
    """Where a tile begins in x, its sizes along u and v, and how many elements v takes."""
    first = unit % g.tiles * g.tile
    pixels = min(g.tile, g.size - first)
    start = unit // g.tiles * g.image
    if g.plain:
        return 4 * (start + first), g.channels, (pixels + lanes - 1) // lanes, pixels
    return 4 * (start + first * lanes), pixels, g.width // lanes, g.width


@cache
def forward(lanes: int) -> Any:
    """y = x * d^-beta."""

    @task(TILES + "x y")
    def run(g, i):
        scratch, numbers = g.scratch + 4 * i * g.room, floats(g.numbers, (4,))
        alpha, k = spread(numbers[0], lanes), spread(numbers[1], lanes)
        one, exponent = spread(np.float32(1), lanes), spread(numbers[2], lanes)
        clear = floats(scratch, (g.room,))
        for at in range(g.room):
            clear[at] = 0
        squares = scratch + 4 * g.before * g.near
        for unit in range(i * g.each, min((i + 1) * g.each, g.units)):
            start, outers, inners, size = tile_of(g, unit, lanes)
            for u in range(outers):
                for v in range(inners):
                    at = start + 4 * (u * g.outer + v * g.inner)
                    value = load_some(g.x + at, size - v * lanes, lanes)
                    store(value * value, squares + 4 * (u * g.row + v * g.column))
            for u in range(outers):
                for v in range(inners):
                    near = scratch + 4 * (u * g.row + v * g.column)
                    total = load(near, lanes)
                    for j in range(1, g.before + g.after + 1):
                        total = total + load(near + 4 * j * g.near, lanes)
                    shrunk = shrink(fma(total, alpha, k), one, exponent, g.is_root)
                    at, some = start + 4 * (u * g.outer + v * g.inner), size - v * lanes
                    store_some(load_some(g.x + at, some, lanes) * shrunk, g.y + at, some)

    return run


@cache
def pulls(lanes: int) -> Any:
    """dx = dy * d^-beta - 2 alpha beta x * the windows' sum of dy * x * d^(-beta - 1)."""

    @task(TILES + "x dy dx")
    def run(g, i):
        scratch, numbers = g.scratch + 8 * i * g.room, floats(g.numbers, (4,))
        alpha, k = spread(numbers[0], lanes), spread(numbers[1], lanes)
        one, exponent = spread(np.float32(1), lanes), spread(numbers[2], lanes)
        factor, clear = spread(numbers[3], lanes), floats(scratch, (2 * g.room,))
        for at in range(2 * g.room):
            clear[at] = 0
        squares, pulled = scratch + 4 * g.before * g.near, 4 * (g.room + g.after * g.near)
        for unit in range(i * g.each, min((i + 1) * g.each, g.units)):
            start, outers, inners, size = tile_of(g, unit, lanes)
            for u in range(outers):
                for v in range(inners):
                    at = start + 4 * (u * g.outer + v * g.inner)
                    value = load_some(g.x + at, size - v * lanes, lanes)
                    store(value * value, squares + 4 * (u * g.row + v * g.column))
            for stage in range(2):
                for u in range(outers):
                    for v in range(inners):
                        near = scratch + 4 * (u * g.row + v * g.column + stage * g.room)
                        total = load(near, lanes)
                        for j in range(1, g.before + g.after + 1):
                            total = total + load(near + 4 * j * g.near, lanes)
                        at, some = start + 4 * (u * g.outer + v * g.inner), size - v * lanes
                        value = load_some(g.x + at, some, lanes)
                        if stage == 0:
                            d = fma(total, alpha, k)
                            direct = shrink(d, one, exponent, g.is_root)
                            direct = direct * load_some(g.dy + at, some, lanes)
                            store(direct * value / d, near + pulled)
                        else:
                            direct = load_some(g.dx + at, some, lanes)
                            direct = fma(total * factor, value, direct)
                        store_some(direct, g.dx + at, some)

    return run
