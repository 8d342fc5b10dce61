"""Runs a plan of the CPU convolutions: which loops, in which order, over which addresses.

What does not change from call to call is put together once for each plan.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv import cpu
from gpuconv.cpu import host, keeping, native
from gpuconv.cpu.jit import Bound
from gpuconv.shapes import Pair

from . import _axes
from . import _numba_plan as planning
from . import _numba_tasks as tasks
from ._numba_plan import BYTES, CHAIN, POINTS, Plan

KEPT = 512  # tasks that are put together, for about as many different convolutions
Work = tuple[int, Bound]  # how many indices, and the task


def convolve(
    plan: Plan,
    result: np.ndarray,
    source: np.ndarray,
    weight: np.ndarray,
    parts: Sequence[int],
    bias: np.ndarray | None = None,
    relu: bool = False,
) -> None:
    """Fill ``result`` from ``source``, both in the problem's format; ``parts``: the plan's."""
    if plan.is_backward and not plan.is_whole:
        size = plan.outside * plan.target[0] * plan.target[1]
        tasks.clear.each(result.size // size, y=result, size=size)
    space, out, *places = parts
    packed = [_packed(plan, number, weight, place) for number, place in enumerate(places)]
    ends = {"bias": in_lanes(plan, bias), "relu": int(relu)}
    for image, count in plan.passes():
        begin = blocked(plan, source, image, count, space)
        out = address(result[image:]) if plan.is_result_blocked else out
        for number, (axes, place) in enumerate(zip(plan.classes, packed, strict=True)):
            sources = {"source": begin + plan.start(axes), "packed": place}
            each(_sweep(plan, number, count), **sources, **ends, out=out + plan.steps(axes)[0])
            if not plan.is_result_blocked:
                each(unblock(plan, number, count), blocked=out, y=result[image:])
    if not plan.is_result_blocked:  # else tiles have seen to it
        silence(plan, result)


def _packed(plan: Plan, number: int, weight: np.ndarray, place: int) -> int:
    """The address of the weights in the order in which tiles read them."""
    size = len(plan.blocks.results) * plan.packed(plan.classes[number])

    def prepare(at: int) -> None:
        each(pack(plan, number), weight=weight, packed=at)

    return keeping.prepared((plan, number), weight, size, place, prepare)


def each(work: Work, **fields: Any) -> None:
    """Run a task that was put together, with the fields that it lacks."""
    count, bound = work
    bound.each(count, **fields)


def weight_gradient(
    plan: Plan, dweight: np.ndarray, x: np.ndarray, dy: np.ndarray, parts: Sequence[int]
) -> None:
    """Fill ``dweight``; ``parts`` are where the plan's ``weight_parts`` lie."""
    space, slope, packed = parts
    if len(x) == 0:
        host(dweight.fill, 0)
        return
    for image, count in plan.passes():
        begin = blocked(plan, x, image, count, space) + plan.start(plan.classes[0])
        shaped = slopes(plan, dy, image, count, slope)
        each(_gather(plan, count), source=begin, slope=shaped, packed=packed, first=image)
    each(unpack(plan, plan.slices), weight=dweight, packed=packed)


def in_lanes(plan: Plan, bias: np.ndarray | None) -> np.ndarray | None:
    """The bias in the order of the results' lanes."""
    if bias is None:
        return None
    table = plan.blocks.results
    ordered = np.empty(table.shape, np.float32)

    def order() -> None:
        np.take(bias, table, out=ordered, mode="clip")
        ordered[table < 0] = 0

    host(order)
    return ordered


def _weights(plan: Plan, number: int) -> dict[str, Any]:
    rows, cols = plan.classes[number]
    taps = np.add.outer(np.array(rows.taps) * plan.problem.s, cols.taps).astype(np.int64)
    return {
        "table": plan.blocks.weights,
        "lanes": plan.blocks.lanes,
        "along": not plan.is_backward,
        "inputs": plan.roles.inputs,
        "input_step": plan.roles.input_step,
        "taps": taps,
        "tap_count": taps.size,
        "groups": plan.blocks.groups,
        "depth": plan.blocks.depth,
    }


@lru_cache(KEPT)
def pack(plan: Plan, number: int) -> Work:
    """Puts the weights of a class in the order that a tile reads them."""
    return len(plan.blocks.results), tasks.pack.bind(**_weights(plan, number))


@lru_cache(KEPT)
def unpack(plan: Plan, slices: int) -> Work:
    """Adds up slices of the weight gradient, and puts it where it belongs."""
    blocks = len(plan.blocks.results)
    return blocks, tasks.unpack.bind(**_weights(plan, 0), blocks=blocks, slices=slices)


def address(array: np.ndarray) -> int:
    """Where the array begins."""
    return int(array.__array_interface__["data"][0])


def blocked(plan: Plan, source: np.ndarray, image: int, count: int, space: int) -> int:
    """The address of ``count`` images in the plan's layout, with their zeros."""
    if plan.reads_in_place:
        return address(source[image:])
    each(_block(plan, count), x=source[image:], blocked=space)
    return space


@lru_cache(KEPT)
def _block(plan: Plan, count: int) -> Work:
    ((top, bottom), (left, right)), (h, w) = plan.border, plan.taken
    sizes = {"padded_h": h + top + bottom, "padded_w": w + left + right, "top": top, "left": left}
    table, cell = plan.blocks.sources, plan.blocks.cell
    if plan.is_source_blocked and plan.every == (1, 1):
        return count * len(table), tasks.frame.bind(h=h, w=w, cell=cell, **sizes)
    if cell == 1 or not plan.is_source_blocked:
        return count * len(table), _reorder(table, plan.inside, plan.whole, plan.every, sizes)
    steps = _steps(cell, plan.whole, plan.every)
    return count * len(table), tasks.thin.bind(
        plane=prod(plan.whole) * cell, rows=h, cols=w, cell=cell, **steps
    )


def slopes(plan: Plan, dy: np.ndarray, image: int, count: int, space: int) -> int:
    """The address of ``count`` images of dy in the blocks of the results."""
    if plan.is_result_blocked:
        return address(dy[image:])
    each(_block_slope(plan, count), x=dy[image:], blocked=space)
    return space


@lru_cache(KEPT)
def _block_slope(plan: Plan, count: int) -> Work:
    table, h, w = plan.blocks.results, plan.problem.p, plan.problem.q
    sizes = {"padded_h": h, "padded_w": w, "top": 0, "left": 0}
    return count * len(table), _reorder(table, plan.outside, (h, w), (1, 1), sizes)


def _steps(width: int, size: Pair, every: Pair) -> dict[str, int]:
    """Elements to the next row and to the next pixel, of those that are taken."""
    return {"line": every[0] * size[1] * width, "pixel": every[1] * width}


def _places(table: np.ndarray, width: int, size: Pair) -> dict[str, Any]:
    """Where a table's channels begin in an image with blocks of ``width``, and its size."""
    plane, blocks = prod(size) * width, table.max() // width + 1
    places = np.where(table < 0, -1, table // width * plane + table % width)
    return {"places": places, "image": blocks * plane, "blocks": len(table)}


def _reorder(
    table: np.ndarray, width: int, size: Pair, every: Pair, sizes: dict[str, int]
) -> Bound:
    """The task that puts images with blocks of ``width`` channels in the order of a table."""
    h, w = (ceil(whole / step) for whole, step in zip(size, every, strict=True))
    fields = {"h": h, "w": w, "cell": table.shape[1], **_steps(width, size, every)}
    return tasks.block.bind(**_places(table, width, size), **fields, **sizes)


@lru_cache(KEPT)
def unblock(plan: Plan, number: int, count: int) -> Work:
    """Puts the blocked results of a class, of ``count`` images, where they belong."""
    (rows, cols), table, width = plan.classes[number], plan.blocks.results, plan.outside
    return count * len(table), tasks.unblock.bind(
        rows=rows.results,
        cols=cols.results,
        lanes=plan.blocks.lanes,
        first=(rows.first * plan.target[1] + cols.first) * width,
        **_places(table, width, plan.target),
        **_steps(width, plan.target, (rows.every, cols.every)),
    )


def _used(plan: Plan) -> int:
    """Lanes of the result's last block that hold a channel; 0 if all do."""
    return plan.roles.groups * plan.roles.results % plan.outside


def silence(plan: Plan, y: np.ndarray) -> None:
    """Lanes of y that hold no channel must be 0 for whoever reads it."""
    if used := _used(plan):
        sizes = {"blocks": y.shape[1], "plane": y.shape[2] * y.shape[3], "lanes": plan.outside}
        tasks.silence.each(len(y), y=y, **sizes, used=used)


def _walk(plan: Plan, axes: _axes.Axes) -> dict[str, int]:
    """How a walk goes over the source, and how far each of its steps is."""
    (rows, cols), blocks = axes, plan.blocks
    return {
        "image": plan.image,
        "row": plan.plane * blocks.groups,
        "line": plan.line * rows.stride,
        "group": plan.plane,
        "groups": blocks.groups,
        "taps_down": len(rows.taps),
        "down": plan.line * rows.step,
        "blocks": len(blocks.results),
        "shared": blocks.shared,
        "rows": rows.results,
        "cols": cols.results,
        "lanes": blocks.lanes,
        "packed_size": plan.packed(axes),
        "packed_group": plan.packed(axes) // blocks.groups,
    }


@lru_cache(KEPT)
def _sweep(plan: Plan, number: int, count: int) -> Work:
    axes, blocks = plan.classes[number], plan.blocks
    rows, cols = axes
    tiles = planning.cut(cols.results, cpu.rows_for(blocks.lanes))
    deep = planning.depth(blocks, len(cols.taps))
    _, pixel, out_line, out_plane = plan.steps(axes)
    across = 1 if blocks.depth > 1 else deep
    part = plan.rows_of_a_task(axes, count)
    parts = ceil(rows.results / part)
    return count * len(blocks.results) * parts, tasks.sweep.bind(
        **_walk(plan, axes),
        out_plane=out_plane,
        out_line=out_line,
        used=_used(plan) if plan.is_result_blocked else 0,
        tile=native.address(planning.product_tile(plan, cols, tiles.size)),
        last_tile=native.address(planning.product_tile(plan, cols, tiles.last)),
        tiles=tiles.count,
        height=tiles.size * pixel,
        advance=BYTES * tiles.size * cols.stride * blocks.cell,
        taps_across=len(cols.taps) // across,
        across=BYTES * across * cols.step * blocks.cell,
        chunk=max(1, CHAIN // (len(rows.taps) * len(cols.taps) * blocks.depth)),
        part=part,
        parts=parts,
    )


@lru_cache(KEPT)
def _gather(plan: Plan, count: int) -> Work:
    (_, cols), blocks = plan.classes[0], plan.blocks
    is_deep = blocks.depth > 1
    tiles = planning.cut(blocks.depth if is_deep else len(cols.taps), cpu.rows_for(blocks.lanes))
    tile, last = (planning.outer_tile(blocks, cols, n) for n in (tiles.size, tiles.last))
    chunks = ceil(blocks.groups / plan.chunk)
    return plan.slices * len(blocks.results) * chunks, tasks.gather.bind(
        **_walk(plan, plan.classes[0]),
        tile=native.address(tile),
        last_tile=native.address(last),
        tiles=tiles.count,
        height=tiles.size,
        last_height=tiles.last,
        advance=BYTES * tiles.size * tile.row,
        taps_across=len(cols.taps) if is_deep else 1,
        across=BYTES * cols.step * blocks.cell,
        part=max(1, POINTS // cols.results),
        chunk=plan.chunk,
        chunks=chunks,
        slices=plan.slices,
        images=count,
    )
