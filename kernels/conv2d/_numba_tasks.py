"""The loops of the CPU convolutions: reordering of arrays, and rows of tiles.

A blocked array is (images, blocks, rows, columns, lanes): a pixel's ``lanes`` channels are one
vector. A table says which channel each (block, lane) holds, -1 for none. Fields are addresses,
counts, and strides in bytes, except an ``image`` of x or y, which is in elements.
"""

import numpy as np

from gpuconv.cpu.jit import call, floats, ints, task
from gpuconv.cpu.tiles import UNROLLED
from gpuconv.cpu.vectors import load, spread, store


@task("x image line pixel  h w  places cell  blocked blocks padded_h padded_w top left")
def block(g, i):
    """One block of one image, ``cell`` channels of it, with zeros around.

    ``places`` has each channel's first element in its image; ``h`` rows and ``w`` pixels of each
    are taken. Row by row, so that a row's lanes stay in the first cache.
    """
    n, b, cell, step = i // g.blocks, i % g.blocks, g.cell, g.pixel
    places, size = ints(g.places, (g.blocks, cell)), g.padded_w * cell
    blocked = floats(g.blocked + 4 * i * g.padded_h * size, (g.padded_h, size))
    x = floats(g.x + 4 * n * g.image, (g.image,))
    for row in range(g.padded_h):
        line = blocked[row]
        for at in range(size):
            line[at] = 0
        for lane in range(cell if g.top <= row < g.top + g.h else 0):
            place = places[b, lane]
            if place >= 0:
                source, target = x[place + (row - g.top) * g.line :], line[g.left * cell + lane :]
                for col in range(g.w):
                    target[col * cell] = source[col * step]


@task("x h w  blocked padded_h padded_w top left  cell")
def frame(g, i):
    """One block that is in order already, with zeros around."""
    size, wide = g.w * g.cell, g.padded_w * g.cell
    blocked = floats(g.blocked + 4 * i * g.padded_h * wide, (g.padded_h, wide))
    x, left = floats(g.x + 4 * i * g.h * size, (g.h, size)), g.left * g.cell
    for row in range(g.padded_h):
        line, inside = blocked[row], g.top <= row < g.top + g.h
        for at in range(left if inside else wide):
            line[at] = 0
        if inside:
            source, target, right = x[row - g.top], line[left:], line[left + size :]
            for at in range(size):
                target[at] = source[at]
            for at in range(right.size):
                right[at] = 0


@task("blocked blocks rows cols  places lanes  y image line pixel  first")
def unblock(g, i):
    """One block of results, each channel where it belongs, row by row as above."""
    n, b, lanes, step = i // g.blocks, i % g.blocks, g.lanes, g.pixel
    places, size = ints(g.places, (g.blocks, lanes)), g.cols * lanes
    blocked = floats(g.blocked + 4 * i * g.rows * size, (g.rows, size))
    y = floats(g.y + 4 * n * g.image, (g.image,))
    for row in range(g.rows):
        for lane in range(lanes):
            place = places[b, lane]
            if place >= 0:
                line, target = blocked[row, lane:], y[place + g.first + row * g.line :]
                for col in range(g.cols):
                    target[col * step] = line[col * lanes]


@task("x plane line pixel  blocked rows cols cell")
def thin(g, i):
    """Some rows of one block that is in order already, and some pixels of each."""
    y = g.blocked + 4 * i * g.rows * g.cols * g.cell
    for row in range(g.rows):
        x = g.x + 4 * (i * g.plane + row * g.line)
        for _ in range(g.cols):
            for lane in range(0, g.cell, 4):
                store(load(x + 4 * lane, 4), y + 4 * lane)
            x, y = x + 4 * g.pixel, y + 4 * g.cell


@task("y size")
def clear(g, i):
    """0 in one block of one image."""
    y = floats(g.y + 4 * i * g.size, (g.size,))
    for at in range(g.size):
        y[at] = 0


@task("y blocks plane lanes used")
def silence(g, i):
    """0 in the lanes of an image's last block that hold no channel, whatever was infinite."""
    first = ((i + 1) * g.blocks - 1) * g.plane * g.lanes
    y = floats(g.y + 4 * first, (g.plane, g.lanes))
    for at in range(g.plane):
        for lane in range(g.used, g.lanes):
            y[at, lane] = 0


PACKED = "weight table lanes along  inputs input_step  taps tap_count  packed groups depth  "


@task(PACKED)
def pack(g, i):
    """The weights of one block of results in the order that a tile reads them.

    That is (groups of inputs, taps, depth, lanes); the table has each lane's first weight. The
    inner loop goes ``along`` a lane where its weights lie closer together than those of lanes.
    """
    lanes, depth, count = g.lanes, g.depth, g.tap_count
    table, taps = ints(g.table + 8 * i * lanes, (lanes,)), ints(g.taps, (count,))
    size, step, zero = 4 * count * depth * lanes, 4 * g.input_step, spread(np.float32(0), 4)
    for k in range(g.groups):
        packed, inputs = g.packed + (i * g.groups + k) * size, min(depth, g.inputs - k * depth)
        for at in range(packed, packed + size, 16):
            store(zero, at)
        first = g.weight + k * depth * step
        if g.along:
            for lane in range(lanes):
                for t in range(count if table[lane] >= 0 else 0):
                    x = first + 4 * (table[lane] + taps[t])
                    y = packed + 4 * (t * depth * lanes + lane)
                    for d in range(inputs):
                        store(load(x + d * step, 1), y + 4 * d * lanes)
        else:
            for d in range(inputs):
                for t in range(count):
                    x, y = first + d * step + 4 * taps[t], packed + 4 * (t * depth + d) * lanes
                    for lane in range(lanes):
                        if table[lane] >= 0:
                            store(load(x + 4 * table[lane], 1), y + 4 * lane)


@task(PACKED + "blocks slices")
def unpack(g, i):
    """The gradient of one block's weights: slices added up in their order, back in its place."""
    lanes, depth, count = g.lanes, g.depth, g.tap_count
    table, taps = ints(g.table + 8 * i * lanes, (lanes,)), ints(g.taps, (count,))
    size, step = 4 * count * depth * lanes, 4 * g.input_step
    for part in range(g.slices):
        for c in range(g.inputs):
            group = ((part * g.blocks + i) * g.groups + c // depth) * size
            for t in range(count):
                x = g.packed + group + 4 * (t * depth + c % depth) * lanes
                y = g.weight + c * step + 4 * taps[t]
                for lane in range(lanes):
                    if table[lane] >= 0:
                        place, more = y + 4 * table[lane], load(x + 4 * lane, 1)
                        store(load(place, 1) + more if part > 0 else more, place)


@task(
    "source image row line group  out out_plane out_line  blocks shared rows cols lanes  "
    "packed packed_size packed_group  bias relu used  tile last_tile tiles height advance  "
    "groups taps_down down taps_across across  chunk part parts"
)
def sweep(g, i):
    """A few rows of one block of results, in chunks of groups of inputs, tile after tile.

    The weights of a chunk stay in the first cache. Of the last block only ``used`` lanes hold a
    channel; the others become 0 whatever was infinite (0: all do).
    """
    n, b, first = i // g.parts // g.blocks, i // g.parts % g.blocks, i % g.parts * g.part
    source = g.source + n * g.image + b // g.shared * g.row
    bias = g.bias + 4 * b * g.lanes if g.bias != 0 else 0
    for k in range(0, g.groups, g.chunk):
        count = min(g.chunk, g.groups - k)
        ends, end = ((bias, 0) if k == 0 else (0, 1)), 0
        if k + count == g.groups:
            end = g.relu + (2 * g.used if b == g.blocks - 1 else 0)
        walk = (count, g.group, g.taps_down, g.down, g.taps_across, g.across)
        weight = g.packed + b * g.packed_size + k * g.packed_group
        for row in range(first, min(first + g.part, g.rows)):
            a = source + row * g.line + k * g.group
            c = g.out + (n * g.blocks + b) * g.out_plane + row * g.out_line
            for t in range(g.tiles):
                tile = g.tile if t < g.tiles - 1 else g.last_tile
                call(tile, (a, weight, c, *ends, end, *walk))
                a, c = a + g.advance, c + g.height


@task(
    "source image row line group  slope blocks shared rows cols lanes  "
    "packed packed_size packed_group  tile last_tile tiles height last_height advance  "
    "groups taps_down down taps_across across  part chunk chunks slices first images"
)
def gather(g, i):
    """The gradient of the weights between some groups of inputs and a block, over some images.

    A tile adds up ``part`` rows of outputs before that is added to the total: a long chain of sums
    loses digits. These rows of the slope stay in the first cache for every group.
    """
    s, b, begin = i // g.chunks // g.blocks, i // g.chunks % g.blocks, i % g.chunks * g.chunk
    end, size = min(begin + g.chunk, g.groups), 4 * g.cols * g.lanes
    points = (g.cols // UNROLLED, g.cols % UNROLLED)
    for n in range((s + g.slices - g.first % g.slices) % g.slices, g.images, g.slices):
        source = g.source + n * g.image + b // g.shared * g.row
        slope = g.slope + (n * g.blocks + b) * g.rows * size
        for row in range(0, g.rows, g.part):
            add = 1 if row > 0 or g.first + n >= g.slices else 0
            walk = (min(g.part, g.rows - row), g.line, size)
            c = g.packed + (s * g.blocks + b) * g.packed_size + begin * g.packed_group
            for step in range((end - begin) * g.taps_down * g.taps_across):
                tap, k = step % (g.taps_down * g.taps_across), step // (g.taps_down * g.taps_across)
                a = source + row * g.line + (begin + k) * g.group
                a += tap // g.taps_across * g.down + tap % g.taps_across * g.across
                for t in range(g.tiles):
                    tile = g.tile if t < g.tiles - 1 else g.last_tile
                    call(tile, (a + t * g.advance, slope + row * size, c, add, *walk, *points))
                    c += 4 * (g.height if t < g.tiles - 1 else g.last_height) * g.lanes
