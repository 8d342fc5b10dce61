"""The loops of Winograd's algorithm: transforms of tiles and of weights, and matrix products.

Fields are addresses, counts, and strides in bytes. ``step`` leads from one point of a transformed
tile to the next, ``block`` from one block of channels to the next.
"""

from gpuconv.cpu.jit import call, task
from gpuconv.cpu.tiles import UNROLLED


@task(
    "x image plane h w pixel  m top left down across  "
    "y block step size  blocks transform first count parts"
)
def enter(g, i):
    """Some tiles of one block of an image, transformed into a chunk; 0 outside the image."""
    b, part = i // g.parts, i % g.parts
    line = g.w * g.pixel
    for t in range(part * g.count // g.parts, (part + 1) * g.count // g.parts):
        tile = g.first + t
        row = tile // g.across % g.down * g.m + g.top
        col = tile % g.across * g.m + g.left
        n = tile // (g.across * g.down)
        x = g.x + n * g.image + b * g.plane + row * line + col * g.pixel
        window = (-row, g.h - row, -col, g.w - col)
        y = (g.y + b * g.block + t * g.pixel, g.size * g.step, g.step)
        call(g.transform, (x, line, g.pixel, *window, *y, g.size, g.size, 0, 0))


@task(
    "y image plane h w pixel  m down across  "
    "x block step size  bias relu  blocks transform first count parts"
)
def leave(g, i):
    """Some tiles of one block of results, transformed back from a chunk into their image."""
    b, part = i // g.parts, i % g.parts
    line = g.w * g.pixel
    bias = g.bias + b * g.pixel if g.bias != 0 else 0
    for t in range(part * g.count // g.parts, (part + 1) * g.count // g.parts):
        tile = g.first + t
        row, col = tile // g.across % g.down * g.m, tile % g.across * g.m
        n = tile // (g.across * g.down)
        y = g.y + n * g.image + b * g.plane + row * line + col * g.pixel
        ends = (min(g.m, g.h - row), min(g.m, g.w - col), bias, g.relu)
        x = (g.x + b * g.block + t * g.pixel, g.size * g.step, g.step)
        call(g.transform, (*x, 0, 0, 0, 0, y, line, g.pixel, *ends))


@task(
    "x x_block x_each x_row x_col  y y_block y_each y_row y_col  inner depth vector  transform size"
)
def turn(g, i):
    """The windows of one block of results and one block of inputs, one for each input."""
    b, k = i // g.inner, i % g.inner
    x, y = g.x + b * g.x_block + k * g.x_each, g.y + b * g.y_block + k * g.y_each
    for d in range(g.depth):
        source = (x + d * g.vector, g.x_row, g.x_col, 0, 0, 0, 0)
        call(g.transform, (*source, y + d * g.vector, g.y_row, g.y_col, g.size, g.size, 0, 0))


@task(
    "a a_step a_block a_tile  u u_step u_block  c c_step c_block c_tile  "
    "blocks shared groups chunk tile tiles"
)
def multiply(g, i):
    """One block of results at one point: tile by tile, in a fixed order of the inputs."""
    p, b = i // g.blocks, i % g.blocks
    a = g.a + p * g.a_step + b // g.shared * g.groups * g.a_block
    c = g.c + p * g.c_step + b * g.c_block
    size = g.u_block // g.groups
    for t in range(g.tiles):
        for k in range(0, g.groups, g.chunk):
            u = g.u + p * g.u_step + b * g.u_block + k * size
            walk = (min(g.chunk, g.groups - k), g.a_block, 1, 0, 1, 0)
            add = 1 if k > 0 else 0
            place = a + t * g.a_tile + k * g.a_block
            call(g.tile, (place, u, c + t * g.c_tile, 0, add, 0, *walk))


@task(
    "a a_step a_block  d d_step d_block  u u_step u_block  blocks shared groups  "
    "tile last_tile tiles height vector  count add"
)
def correlate(g, i):
    """The gradient of one block's transformed weights at one point, over the tiles of a chunk."""
    p, b = i // g.blocks, i % g.blocks
    a = g.a + p * g.a_step + b // g.shared * g.groups * g.a_block
    d = g.d + p * g.d_step + b * g.d_block
    size = g.u_block // g.groups
    for k in range(g.groups):
        u = g.u + p * g.u_step + b * g.u_block + k * size
        for t in range(g.tiles):
            tile = g.tile if t < g.tiles - 1 else g.last_tile
            place = (a + k * g.a_block + 4 * t * g.height, d, u + t * g.height * g.vector)
            call(tile, (*place, g.add, 1, 0, 0, g.count // UNROLLED, g.count % UNROLLED))
