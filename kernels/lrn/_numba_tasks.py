"""The loops of the CPU's local response normalisation, over tiles of a few pixels.

A tile's squares lie in a scratch with zeros where neighbours would be beyond the channels. In NCHW
it is (channels, pixels): ``outers`` are channels, vectors run along the pixels. In blocks it is
(pixels, channels): ``outers`` are pixels, vectors run along the channels, and neighbours are loaded
``near`` elements apart. Either way a window's sum is one load for each of its channels.
"""

from functools import cache
from typing import Any

import numpy as np

from gpuconv.cpu.jit import floats, task
from gpuconv.cpu.vectors import fma, load, load_some, power, spread, sqrt, store, store_some

TILES = (
    "x units each size tile tiles image plain  channels blocks outer inner  "
    "scratch room row column near before after  numbers is_root  "
)


@cache
def forward(lanes: int) -> Any:
    """y = x * d^-beta."""

    @task(TILES + "y")
    def run(g, i):
        scratch = g.scratch + 4 * i * g.room
        numbers, clear = floats(g.numbers, (4,)), floats(scratch, (g.room,))
        alpha, k = spread(numbers[0], lanes), spread(numbers[1], lanes)
        one, beta = spread(np.float32(1), lanes), spread(numbers[2], lanes)
        for at in range(g.room):
            clear[at] = 0
        window, squares = g.before + g.after + 1, scratch + 4 * g.before * g.near
        for unit in range(i * g.each, min((i + 1) * g.each, g.units)):
            first = unit % g.tiles * g.tile
            pixels = min(g.tile, g.size - first)
            start = 4 * (unit // g.tiles * g.image + (first if g.plain else first * lanes))
            outers, inners = pixels, g.blocks
            if g.plain:
                outers, inners = g.channels, (pixels + lanes - 1) // lanes
            for u in range(outers):
                for v in range(inners):
                    offset, some = start + 4 * (u * g.outer + v * g.inner), lanes
                    if g.plain:
                        some = pixels - v * lanes
                    value = load_some(g.x + offset, some, lanes)
                    store(value * value, squares + 4 * (u * g.row + v * g.column))
            for u in range(outers):
                for v in range(inners):
                    near = scratch + 4 * (u * g.row + v * g.column)
                    total = load(near, lanes)
                    for j in range(1, window):
                        total = total + load(near + 4 * j * g.near, lanes)
                    total = fma(total, alpha, k)
                    if g.is_root:
                        root = sqrt(total)
                        shrunk = one / (root * sqrt(root))
                    else:
                        shrunk = power(total, beta)
                    offset, some = start + 4 * (u * g.outer + v * g.inner), lanes
                    if g.plain:
                        some = pixels - v * lanes
                    value = load_some(g.x + offset, some, lanes)
                    store_some(value * shrunk, g.y + offset, some)

    return run


@cache
def backward(lanes: int) -> Any:
    """dx = dy * d^-beta - 2 alpha beta x * the windows' sum of dy * x * d^(-beta - 1)."""

    @task(TILES + "dy dx")
    def run(g, i):
        scratch = g.scratch + 8 * i * g.room
        pulled = scratch + 4 * g.room
        numbers, clear = floats(g.numbers, (4,)), floats(scratch, (2 * g.room,))
        alpha, k = spread(numbers[0], lanes), spread(numbers[1], lanes)
        one, beta = spread(np.float32(1), lanes), spread(numbers[2], lanes)
        factor = spread(numbers[3], lanes)
        for at in range(2 * g.room):
            clear[at] = 0
        window, squares = g.before + g.after + 1, scratch + 4 * g.before * g.near
        pulls = pulled + 4 * g.after * g.near
        for unit in range(i * g.each, min((i + 1) * g.each, g.units)):
            first = unit % g.tiles * g.tile
            pixels = min(g.tile, g.size - first)
            start = 4 * (unit // g.tiles * g.image + (first if g.plain else first * lanes))
            outers, inners = pixels, g.blocks
            if g.plain:
                outers, inners = g.channels, (pixels + lanes - 1) // lanes
            for u in range(outers):
                for v in range(inners):
                    offset, some = start + 4 * (u * g.outer + v * g.inner), lanes
                    if g.plain:
                        some = pixels - v * lanes
                    value = load_some(g.x + offset, some, lanes)
                    store(value * value, squares + 4 * (u * g.row + v * g.column))
            for u in range(outers):
                for v in range(inners):
                    place = 4 * (u * g.row + v * g.column)
                    total = load(scratch + place, lanes)
                    for j in range(1, window):
                        total = total + load(scratch + place + 4 * j * g.near, lanes)
                    total = fma(total, alpha, k)
                    if g.is_root:
                        root = sqrt(total)
                        shrunk = one / (root * sqrt(root))
                    else:
                        shrunk = power(total, beta)
                    offset, some = start + 4 * (u * g.outer + v * g.inner), lanes
                    if g.plain:
                        some = pixels - v * lanes
                    direct = load_some(g.dy + offset, some, lanes) * shrunk
                    store_some(direct, g.dx + offset, some)
                    value = load_some(g.x + offset, some, lanes)
                    store(direct * value / total, pulls + place)
            for u in range(outers):
                for v in range(inners):
                    near = pulled + 4 * (u * g.row + v * g.column)
                    total = load(near, lanes)
                    for j in range(1, window):
                        total = total + load(near + 4 * j * g.near, lanes)
                    offset, some = start + 4 * (u * g.outer + v * g.inner), lanes
                    if g.plain:
                        some = pixels - v * lanes
                    value = load_some(g.x + offset, some, lanes)
                    direct = load_some(g.dx + offset, some, lanes)
                    store_some(fma(total * factor, value, direct), g.dx + offset, some)

    return run
