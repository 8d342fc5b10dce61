"""What lies between batch norm's two readings: from a channel's sums to what its values need.

Sums come as (slices, blocks, 2, WIDTH) doubles, tables go as (3, blocks, WIDTH) floats, both as
_numba_channels.py has them. Slices are added up in their order.
"""

from math import sqrt

import numpy as np

from gpuconv.cpu.jit import floats, task
from gpuconv.cpu.vectors import double

SUMS = "sums slices blocks lanes channels  numbers  "


@task(SUMS + "weight bias  mean invstd running_mean running_var  table")
def settle(g, b):
    """Statistics of one block, running ones moved, and mean, scale and bias of every lane."""
    count, epsilon = double(g.numbers), double(g.numbers + 8)
    momentum, unbiased = double(g.numbers + 16), double(g.numbers + 24)
    table = floats(g.table, (3, g.blocks, 16))
    for lane in range(g.lanes):
        c = b * g.lanes + lane
        first, second, third = np.float32(0), np.float32(0), np.float32(0)
        if c < g.channels:
            total, squares = 0.0, 0.0
            for s in range(g.slices):
                at = g.sums + 256 * (s * g.blocks + b)
                for k in range(lane, 16, g.lanes):
                    total += double(at + 8 * k)
                    squares += double(at + 128 + 8 * k)
            mean = total / count
            var = squares / count - mean * mean
            if var < 0:
                var = 0.0
            first, second = np.float32(mean), np.float32(1 / sqrt(var + epsilon))
            floats(g.mean, (g.channels,))[c] = first
            floats(g.invstd, (g.channels,))[c] = second
            if g.running_mean != 0:
                running = floats(g.running_mean, (g.channels,))
                running[c] = (1 - momentum) * running[c] + momentum * mean
            if g.running_var != 0:
                running = floats(g.running_var, (g.channels,))
                running[c] = (1 - momentum) * running[c] + momentum * (var * unbiased)
            if g.weight != 0:
                second *= floats(g.weight, (g.channels,))[c]
            if g.bias != 0:
                third = floats(g.bias, (g.channels,))[c]
        for k in range(lane, 16, g.lanes):
            table[0, b, k], table[1, b, k], table[2, b, k] = first, second, third


@task(SUMS + "weight invstd  dweight dbias  table")
def settle_gradient(g, b):
    """Gradients of one block's weight and bias, and slope, shift and scale of every lane."""
    count, table = double(g.numbers), floats(g.table, (3, g.blocks, 16))
    for lane in range(g.lanes):
        c = b * g.lanes + lane
        slope, shift, scale = np.float32(0), np.float32(0), np.float32(0)
        if c < g.channels:
            total, product = 0.0, 0.0
            for s in range(g.slices):
                at = g.sums + 256 * (s * g.blocks + b)
                for k in range(lane, 16, g.lanes):
                    total += double(at + 8 * k)
                    product += double(at + 128 + 8 * k)
            scale = floats(g.invstd, (g.channels,))[c]
            floats(g.dbias, (g.channels,))[c] = total
            floats(g.dweight, (g.channels,))[c] = product * scale
            slope = np.float32(-product * scale * scale / count)
            shift = np.float32(-total / count)
            if g.weight != 0:
                scale *= floats(g.weight, (g.channels,))[c]
        for k in range(lane, 16, g.lanes):
            table[0, b, k], table[1, b, k], table[2, b, k] = slope, shift, scale
