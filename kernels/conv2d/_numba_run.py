"""Runs a plan of the CPU convolutions: which loops, in which order, over which addresses."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from gpuconv import cpu
from gpuconv.cpu import native

from . import _axes
from . import _numba_plan as planning
from . import _numba_tasks as tasks
from ._numba_plan import BYTES, CHAIN, Plan

POINTS = 256  # outputs of which a weight gradient's operands stay in the first cache


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
    if not _axes.is_whole(plan.problem, plan.classes) and plan.is_backward:
        result.fill(0)
    space, out, *packed = parts
    for axes, place in zip(plan.classes, packed, strict=True):
        _pack(plan, axes, weight, place)
    lanes = _in_lanes(plan, bias)
    ends = {"bias": lanes, "relu": int(relu)}
    for image, count in plan.passes():
        begin = _blocked(plan, source, image, count, space)
        for axes, place in zip(plan.classes, packed, strict=True):
            out = _address(result[image:]) if plan.writes_in_place else out
            _sweep(plan, axes, count, begin, place, {**ends, "out": out})
            if not plan.writes_in_place:
                _unblock(plan, axes, count, out, result, image)
    _silence(plan, result)


def weight_gradient(
    plan: Plan, dweight: np.ndarray, x: np.ndarray, dy: np.ndarray, parts: Sequence[int]
) -> None:
    """Fill ``dweight``; ``parts`` are where the plan's ``weight_parts`` lie."""
    space, slope, packed = parts
    if len(x) == 0:
        dweight.fill(0)
    for image, count in plan.passes():
        begin = _blocked(plan, x, image, count, space)
        slopes = _slopes(plan, dy, image, count, slope)
        _gather(plan, image, count, begin, slopes, packed)
    if len(x):
        _unpack(plan, dweight, packed)


def _in_lanes(plan: Plan, bias: np.ndarray | None) -> np.ndarray | None:
    if bias is None:
        return None
    table = plan.blocks.results
    return np.where(table < 0, 0, bias[table]).astype(np.float32)


def _weights(plan: Plan, axes: _axes.Axes, weight: np.ndarray, packed: int) -> dict[str, Any]:
    rows, cols = axes
    taps = np.add.outer(np.array(rows.taps) * plan.problem.s, cols.taps).astype(np.int64)
    return {
        "weight": weight,
        "weights": weight.size,
        "table": plan.blocks.weights,
        "lanes": plan.blocks.lanes,
        "inputs": plan.roles.inputs,
        "input_step": plan.roles.input_step,
        "taps": taps,
        "tap_count": taps.size,
        "packed": packed,
        "groups": plan.blocks.groups,
        "depth": plan.blocks.depth,
    }


def _pack(plan: Plan, axes: _axes.Axes, weight: np.ndarray, packed: int) -> None:
    tasks.pack.each(len(plan.blocks.results), **_weights(plan, axes, weight, packed))


def _unpack(plan: Plan, dweight: np.ndarray, packed: int) -> None:
    blocks = len(plan.blocks.results)
    fields = _weights(plan, plan.classes[0], dweight, packed)
    tasks.unpack.each(blocks, **fields, blocks=blocks, slices=plan.slices)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _blocked(plan: Plan, source: np.ndarray, image: int, count: int, space: int) -> int:
    """The address of ``count`` images in the plan's layout, with their zeros."""
    if plan.reads_in_place:
        return _address(source[image:])
    (top, _), (left, _) = plan.border
    sizes = {"padded_h": plan.padded[0], "padded_w": plan.padded[1], "top": top, "left": left}
    if plan.is_source_blocked:
        h, w = plan.source
        fields = {"x": source[image:], "h": h, "w": w, "cell": plan.blocks.cell, **sizes}
        tasks.frame.each(count * len(plan.blocks.sources), **fields, blocked=space)
    else:
        _block(source, image, count, plan.blocks.sources, plan.inside, blocked=space, **sizes)
    return space


def _slopes(plan: Plan, dy: np.ndarray, image: int, count: int, space: int) -> int:
    """The address of ``count`` images of dy in the blocks of the results."""
    if plan.is_result_blocked:
        return _address(dy[image:])
    h, w = plan.problem.p, plan.problem.q
    sizes = {"padded_h": h, "padded_w": w, "top": 0, "left": 0}
    _block(dy, image, count, plan.blocks.results, plan.outside, blocked=space, **sizes)
    return space


def _block(
    x: np.ndarray, image: int, count: int, table: np.ndarray, width: int, **fields: int
) -> None:
    tasks.block.each(
        count * len(table),
        x=x[image:],
        image=x[0].size,
        h=x.shape[2],
        w=x.shape[3],
        width=width,
        table=table,
        cell=table.shape[1],
        blocks=len(table),
        **fields,
    )


def _unblock(plan: Plan, axes: _axes.Axes, count: int, out: int, y: np.ndarray, image: int) -> None:
    (rows, cols), table = axes, plan.blocks.results
    fields = {
        "blocked": out,
        "rows": rows.results,
        "cols": cols.results,
        "lanes": plan.blocks.lanes,
        "y": y[image:],
        "h": y.shape[2],
        "w": y.shape[3],
        "top": rows.first,
        "down": rows.every,
        "left": cols.first,
        "across": cols.every,
    }
    if plan.is_result_blocked:
        tasks.scatter.each(count * len(table), **fields)
    else:
        more = {"table": table, "blocks": len(table), "image": y[0].size, "width": plan.outside}
        tasks.unblock.each(count * len(table), **fields, **more)


def _silence(plan: Plan, y: np.ndarray) -> None:
    """Lanes of y that hold no channel must be 0 for whoever reads it."""
    channels = plan.roles.groups * plan.roles.results
    idle = channels % plan.outside
    if idle:
        sizes = {"blocks": y.shape[1], "plane": y.shape[2] * y.shape[3], "lanes": plan.outside}
        tasks.silence.each(len(y), y=y, **sizes, used=idle)


def _walk(plan: Plan, axes: _axes.Axes, source: int) -> dict[str, int]:
    """Where a walk begins in the source, and how far each of its steps is."""
    (rows, cols), blocks = axes, plan.blocks
    return {
        "source": source + plan.start(axes),
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


def _sweep(
    plan: Plan, axes: _axes.Axes, count: int, source: int, packed: int, ends: dict[str, Any]
) -> None:
    (rows, cols), blocks = axes, plan.blocks
    tiles = planning.cut(cols.results, cpu.rows_for(blocks.lanes))
    deep = planning.depth(blocks, len(cols.taps))
    across = 1 if blocks.depth > 1 else deep
    part = plan.rows_of_a_task(axes, count)
    parts = ceil(rows.results / part)
    tasks.sweep.each(
        count * len(blocks.results) * parts,
        **_walk(plan, axes, source),
        **ends,
        packed=packed,
        tile=native.address(planning.product_tile(blocks, cols, tiles.size)),
        last_tile=native.address(planning.product_tile(blocks, cols, tiles.last)),
        tiles=tiles.count,
        height=tiles.size,
        advance=BYTES * tiles.size * cols.stride * blocks.cell,
        taps_across=len(cols.taps) // across,
        across=BYTES * across * cols.step * blocks.cell,
        chunk=max(1, CHAIN // (len(rows.taps) * len(cols.taps) * blocks.depth)),
        part=part,
        parts=parts,
    )


def _gather(plan: Plan, image: int, count: int, source: int, slope: int, packed: int) -> None:
    (_, cols), blocks = plan.classes[0], plan.blocks
    is_deep = blocks.depth > 1
    tiles = planning.cut(blocks.depth if is_deep else len(cols.taps), cpu.rows_for(blocks.lanes))
    tile, last = (planning.outer_tile(blocks, cols, n) for n in (tiles.size, tiles.last))
    tasks.gather.each(
        plan.slices * len(blocks.results) * blocks.groups,
        **_walk(plan, plan.classes[0], source),
        slope=slope,
        packed=packed,
        tile=native.address(tile),
        last_tile=native.address(last),
        tiles=tiles.count,
        height=tiles.size,
        last_height=tiles.last,
        advance=BYTES * tiles.size * tile.row,
        taps_across=len(cols.taps) if is_deep else 1,
        across=BYTES * cols.step * blocks.cell,
        part=max(1, POINTS // cols.results),
        slices=plan.slices,
        first=image,
        images=count,
    )
