"""The loops of the CPU's matrix products around their tiles. Fields: addresses, counts, bytes."""

from gpuconv.cpu.jit import call, floats, stack, task

PIECE, TALLEST = 256, 32  # inputs and outputs of a weight gradient that is used up at once
BYTES = 4 * PIECE * TALLEST


@task(
    "x weight bias y rows inputs outputs  tile last_tile corner last_corner high wide  "
    "block chunk tall lanes relu"
)
def forward(g, i):
    """``block`` outputs of every row: a chunk of their weights stays in the cache for all rows."""
    first, row = i * g.block, 4 * g.inputs
    last = min(first + g.block, g.outputs)
    for k in range(0, g.inputs, g.chunk):
        count = min(g.chunk, g.inputs - k)
        final = 1 if k + count == g.inputs else 0
        add, relu = 1 if k > 0 else 0, g.relu * final
        for top in range(0, g.rows, g.tall):
            for o in range(first, last, g.wide):
                b = g.weight + o * row + 4 * k
                bias = g.bias + 4 * o if final and g.bias != 0 else 0
                for m in range(top, min(top + g.tall, g.rows), g.high):
                    short = m + g.high > g.rows
                    tile = g.last_tile if short else g.tile
                    if o + g.wide > g.outputs:
                        tile = g.last_corner if short else g.corner
                    a, c = g.x + m * row + 4 * k, g.y + 4 * (m * g.outputs + o)
                    depth = (count // g.lanes, count % g.lanes)
                    call(tile, (a, row, b, row, c, 4 * g.outputs, bias, add, relu, *depth))


@task("x weight y rows inputs outputs  tile last_tile corner last_corner high lanes  block chunk")
def forward_across(g, i):
    """``block`` outputs, each a row of y's transpose; ``x`` is in strips of rows of the batch."""
    first, row = i * g.block, 4 * g.inputs
    last = min(first + g.block, g.outputs)
    for k in range(0, g.inputs, g.chunk):
        count, add = min(g.chunk, g.inputs - k), 1 if k > 0 else 0
        for o in range(first, last, g.high):
            short = o + g.high > g.outputs
            a, c = g.weight + o * row + 4 * k, g.y + 4 * o * g.rows
            for m in range(0, g.rows, g.lanes):
                tile = g.last_tile if short else g.tile
                if m + g.lanes > g.rows:
                    tile = g.last_corner if short else g.corner
                lanes = min(g.lanes, g.rows - m)
                b = g.x + 4 * (m * g.inputs + k * lanes)
                call(tile, (a, row, b, c + 4 * m, 4 * g.rows, add, count))


@task(
    "slope weight dx strips rows inputs outputs  pack last_pack  "
    "tile last_tile corner last_corner high lanes  block chunk"
)
def input_gradient(g, i):
    """``block`` inputs of every row: a chunk of outputs' weights at a time is cut into strips."""
    first, row = i * g.block, 4 * g.inputs
    last = min(first + g.block, g.inputs)
    whole, rest = (last - first) // g.lanes, (last - first) % g.lanes
    strips = g.strips + 4 * i * (g.chunk + 1) * g.block
    for o in range(0, g.outputs, g.chunk):
        count = min(g.chunk, g.outputs - o)
        size = 4 * (count + 1) * g.lanes  # a line more: strips 4 KiB apart would share cache lines
        source, target = g.weight + o * row + 4 * first, strips
        call(g.pack, (source, row, target, size, count, whole))
        if rest:
            tail = 4 * whole * g.lanes
            call(g.last_pack, (source + tail, row, target + whole * size, size, count, 1))
        for m in range(0, g.rows, g.high):
            short = m + g.high > g.rows
            high = g.rows - m if short else g.high
            a, c = g.slope + 4 * (m * g.outputs + o * high), g.dx + m * row + 4 * first
            add = 1 if o > 0 else 0
            for s in range(whole):
                tile = g.last_tile if short else g.tile
                call(tile, (a, 4 * high, target + s * size, c + 4 * s * g.lanes, row, add, count))
            if rest:
                tile = g.last_corner if short else g.corner
                tail = 4 * whole * g.lanes
                call(tile, (a, 4 * high, target + whole * size, c + tail, row, add, count))


@task(
    "slope weight dx rows inputs outputs  tile last_tile corner last_corner high lanes  block chunk"
)
def input_gradient_across(g, i):
    """``block`` inputs, each a row of dx's transpose; ``slope`` is in strips of the batch's rows.

    Weights are read where they lie, a chunk of outputs at a time: what is read of a row for some
    inputs is still in the first cache for the next.
    """
    first, row = i * g.block, 4 * g.inputs
    last = min(first + g.block, g.inputs)
    for o in range(0, g.outputs, g.chunk):
        count, add = min(g.chunk, g.outputs - o), 1 if o > 0 else 0
        for k in range(first, last, g.high):
            short = k + g.high > g.inputs
            a, c = g.weight + o * row + 4 * k, g.dx + 4 * k * g.rows
            for m in range(0, g.rows, g.lanes):
                tile = g.last_tile if short else g.tile
                if m + g.lanes > g.rows:
                    tile = g.last_corner if short else g.corner
                lanes = min(g.lanes, g.rows - m)
                b = g.slope + 4 * (m * g.outputs + o * lanes)
                call(tile, (a, row, b, c + 4 * m, 4 * g.rows, add, count))


@task("slope weight dx rows inputs outputs  tile last_tile deep lanes block")
def input_gradient_of_few(g, i):
    """``block`` inputs of every row: weights are read a few rows at a time, where they lie."""
    first, row = i * g.block, 4 * g.inputs
    count = min(g.block, g.inputs - first)
    c = g.dx + 4 * first
    for m in range(g.rows):
        dx = floats(c + m * row, (count,))
        for k in range(count):
            dx[k] = 0
    for o in range(0, g.outputs, g.deep):
        tile = g.tile if o + g.deep <= g.outputs else g.last_tile
        a, b = g.slope + 4 * o, g.weight + o * row + 4 * first
        call(tile, (a, 4 * g.outputs, b, row, c, row, count // g.lanes, count % g.lanes))


@task(
    "x slope dweight rows inputs outputs  tile last_tile corner last_corner high lanes  "
    "block parts block_out chunk"
)
def weight_gradient(g, i):
    """``block`` inputs of ``block_out`` outputs: each row of dweight is written from end to end."""
    first, row = i % g.parts * g.block, 4 * g.inputs
    last = min(first + g.block, g.inputs)
    start = i // g.parts * g.block_out
    for o in range(start, min(start + g.block_out, g.outputs), g.high):
        short = o + g.high > g.outputs
        a = g.slope + 4 * o * g.rows
        for k in range(first, last, g.lanes):
            tile = g.last_tile if short else g.tile
            if k + g.lanes > g.inputs:
                tile = g.last_corner if short else g.corner
            high = g.outputs - o if short else g.high
            lanes = min(g.lanes, g.inputs - k)
            b, c = g.x + 4 * k * g.rows, g.dweight + o * row + 4 * k
            for m in range(0, g.rows, g.chunk):
                at, add = 4 * m, 1 if m > 0 else 0
                depth = min(g.chunk, g.rows - m)
                call(tile, (a + at * high, 4 * high, b + at * lanes, c, row, add, depth))


@task(
    "x slope weight velocity rates rows inputs outputs  tile last_tile corner last_corner "
    "high lanes  block parts block_out chunk  step"
)
def weight_step(g, i):
    """The same, but ``step`` takes each piece of the gradient while it is in the first cache."""
    first, row = i % g.parts * g.block, 4 * g.inputs
    last = min(first + g.block, g.inputs)
    start, piece = i // g.parts * g.block_out, stack(BYTES)
    for o in range(start, min(start + g.block_out, g.outputs), g.high):
        high = min(g.high, g.outputs - o)
        short, a = high < g.high, g.slope + 4 * o * g.rows
        for begin in range(first, last, PIECE):
            end = min(begin + PIECE, last)
            for k in range(begin, end, g.lanes):
                tile = g.last_tile if short else g.tile
                if k + g.lanes > g.inputs:
                    tile = g.last_corner if short else g.corner
                lanes = min(g.lanes, g.inputs - k)
                b, c = g.x + 4 * k * g.rows, piece + 4 * (k - begin)
                for m in range(0, g.rows, g.chunk):
                    at, add = 4 * m, 1 if m > 0 else 0
                    depth = min(g.chunk, g.rows - m)
                    call(tile, (a + at * high, 4 * high, b + at * lanes, c, 4 * PIECE, add, depth))
            for r in range(high):
                at, slope = (o + r) * row + 4 * begin, piece + 4 * PIECE * r
                w, v = g.weight + at, g.velocity + at
                call(g.step, (w, slope, v, 0, w, v, 0, g.rates, 0, end - begin))
