"""Runs a plan of Winograd's algorithm on the CPU: which stage, in which order, over which arrays.

What does not change from call to call is put together once for each plan.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from gpuconv import cpu
from gpuconv.cpu import keeping, native

from . import _numba_plan as planning
from . import _numba_run as direct
from . import _numba_winograd_tasks as tasks
from ._numba_plan import BYTES, CHAIN
from ._numba_run import KEPT, Work, each
from ._numba_winograd_plan import TASKS, Winograd
from ._winograd import transpose


def convolve(
    plan: Winograd,
    result: np.ndarray,
    source: np.ndarray,
    weight: np.ndarray,
    parts: Sequence[int],
    bias: np.ndarray | None = None,
    relu: bool = False,
) -> None:
    """Fill ``result`` from ``source``, both in the problem's format; ``parts``: the plan's."""
    base = plan.base
    space, out, packed, room, entered, products = parts
    weights = _transformed(plan, weight, packed, room)
    ends = {"bias": direct.in_lanes(base, bias), "relu": int(relu)}
    for image, count in base.passes():
        begin = direct.blocked(base, source, image, count, space)
        place = direct.address(result[image:]) if base.is_result_blocked else out
        for first, tiles in plan.chunks(count):
            each(_enter(plan, tiles), x=begin, y=entered, first=first)
            each(_multiply(plan, tiles), a=entered, u=weights, c=products)
            each(_leave(plan, tiles), x=products, y=place, first=first, **ends)
        if not base.is_result_blocked:
            each(direct.unblock(base, 0, count), blocked=out, y=result[image:])
    direct.silence(base, result)


def _transformed(plan: Winograd, weight: np.ndarray, packed: int, place: int) -> int:
    """The address of the transformed weights; ``packed`` is room for them as they were."""

    def prepare(at: int) -> None:
        each(direct.pack(plan.base, 0), weight=weight, packed=packed)
        each(_weights(plan), x=packed, y=at)

    return keeping.prepared(plan, weight, plan.points * plan.weight_step, place, prepare)


def weight_gradient(
    plan: Winograd, dweight: np.ndarray, x: np.ndarray, dy: np.ndarray, parts: Sequence[int]
) -> None:
    """Fill ``dweight``; ``parts`` are where the plan's ``weight_parts`` lie."""
    base = plan.base
    space, slope, packed, weights, entered, slopes = parts
    if len(x) == 0:
        cpu.host(dweight.fill, 0)
        return
    for image, count in base.passes():
        begin = direct.blocked(base, x, image, count, space)
        place = direct.slopes(base, dy, image, count, slope)
        for first, tiles in plan.chunks(count):
            each(_enter(plan, tiles), x=begin, y=entered, first=first)
            each(_enter_slopes(plan, tiles), x=place, y=slopes, first=first)
            add = 1 if image + first > 0 else 0
            each(_correlate(plan, tiles), a=entered, d=slopes, u=weights, add=add)
    each(_back(plan), x=weights, y=packed)
    each(direct.unpack(base, 1), weight=dweight, packed=packed)


def _grid(plan: Winograd, tiles: int, blocks: int) -> tuple[int, dict[str, int]]:
    """How many tasks, and what each of them knows of the tiles."""
    parts = min(tiles, ceil(TASKS / blocks))
    down, across = plan.grid
    sizes = {"m": plan.algorithm.m, "size": plan.algorithm.size, "down": down, "across": across}
    return blocks * parts, {**sizes, "blocks": blocks, "count": tiles, "parts": parts}


def _image(blocks: int, h: int, w: int, lanes: int) -> dict[str, int]:
    pixel = BYTES * lanes
    plane = h * w * pixel
    return {"image": blocks * plane, "plane": plane, "h": h, "w": w, "pixel": pixel}


@lru_cache(KEPT)
def _enter(plan: Winograd, tiles: int) -> Work:
    blocks, (rows, cols) = plan.blocks, plan.axes
    count, grid = _grid(plan, tiles, len(blocks.sources))
    matrix = plan.algorithm.forward
    return count, tasks.enter.bind(
        **grid,
        **_image(len(blocks.sources), *plan.base.source, blocks.cell),
        top=rows.start,
        left=cols.start,
        block=plan.cell(blocks.cell),
        step=plan.source_step,
        transform=native.address(plan.transform(matrix, blocks.cell, bounded=True, ends=False)),
    )


@lru_cache(KEPT)
def _enter_slopes(plan: Winograd, tiles: int) -> Work:
    blocks, (rows, cols) = plan.blocks, plan.axes
    count, grid = _grid(plan, tiles, len(blocks.results))
    matrix = transpose(plan.algorithm.back)
    return count, tasks.enter.bind(
        **grid,
        **_image(len(blocks.results), rows.results, cols.results, blocks.lanes),
        top=0,
        left=0,
        block=plan.cell(blocks.lanes),
        step=plan.result_step,
        transform=native.address(plan.transform(matrix, blocks.lanes, bounded=True, ends=False)),
    )


@lru_cache(KEPT)
def _leave(plan: Winograd, tiles: int) -> Work:
    blocks, (rows, cols) = plan.blocks, plan.axes
    count, grid = _grid(plan, tiles, len(blocks.results))
    matrix = plan.algorithm.back
    return count, tasks.leave.bind(
        **grid,
        **_image(len(blocks.results), rows.results, cols.results, blocks.lanes),
        block=plan.cell(blocks.lanes),
        step=plan.result_step,
        transform=native.address(plan.transform(matrix, blocks.lanes, bounded=False, ends=True)),
    )


@lru_cache(KEPT)
def _multiply(plan: Winograd, tiles: int) -> Work:
    blocks = plan.blocks
    return plan.points * len(blocks.results), tasks.multiply.bind(
        a_step=plan.source_step,
        a_block=plan.cell(blocks.cell),
        a_tile=BYTES * plan.height * blocks.cell,
        u_step=plan.weight_step,
        u_block=plan.packed,
        c_step=plan.result_step,
        c_block=plan.cell(blocks.lanes),
        c_tile=BYTES * plan.height * blocks.lanes,
        blocks=len(blocks.results),
        shared=blocks.shared,
        groups=blocks.groups,
        chunk=max(1, CHAIN // blocks.depth),
        tile=native.address(plan.product),
        tiles=ceil(tiles / plan.height),
    )


@lru_cache(KEPT)
def _correlate(plan: Winograd, tiles: int) -> Work:
    blocks = plan.blocks
    rows = planning.cut(blocks.depth, cpu.rows_for(blocks.lanes))
    return plan.points * len(blocks.results), tasks.correlate.bind(
        a_step=plan.source_step,
        a_block=plan.cell(blocks.cell),
        d_step=plan.result_step,
        d_block=plan.cell(blocks.lanes),
        u_step=plan.weight_step,
        u_block=plan.packed,
        blocks=len(blocks.results),
        shared=blocks.shared,
        groups=blocks.groups,
        tile=native.address(plan.outer(rows.size)),
        last_tile=native.address(plan.outer(rows.last)),
        tiles=rows.count,
        height=rows.size,
        vector=BYTES * blocks.lanes,
        count=tiles,
    )


def _windows(plan: Winograd, name: str) -> dict[str, int]:
    """How the packed windows lie: of a block of results, of inputs, rows and columns of each."""
    r, blocks = plan.algorithm.r, plan.blocks
    col = BYTES * blocks.depth * blocks.lanes
    whole = r * r * col
    steps = {"block": blocks.groups * whole, "each": whole, "row": r * col, "col": col}
    return {f"{name}_{key}": value for key, value in steps.items()}


def _points(plan: Winograd, name: str) -> dict[str, int]:
    """The same of the transformed windows."""
    blocks, step = plan.blocks, plan.weight_step
    one = BYTES * blocks.depth * blocks.lanes
    steps = {"block": plan.packed, "each": one, "row": plan.algorithm.size * step, "col": step}
    return {f"{name}_{key}": value for key, value in steps.items()}


def _turn(plan: Winograd, matrix: Any, steps: dict[str, int]) -> Work:
    blocks = plan.blocks
    transform = plan.transform(matrix, blocks.lanes, bounded=False, ends=False)
    return len(blocks.results) * blocks.groups, tasks.turn.bind(
        **steps,
        inner=blocks.groups,
        depth=blocks.depth,
        vector=BYTES * blocks.lanes,
        size=len(matrix),
        transform=native.address(transform),
    )


@lru_cache(KEPT)
def _weights(plan: Winograd) -> Work:
    steps = {**_windows(plan, "x"), **_points(plan, "y")}
    return _turn(plan, plan.algorithm.weights, steps)


@lru_cache(KEPT)
def _back(plan: Winograd) -> Work:
    steps = {**_points(plan, "x"), **_windows(plan, "y")}
    return _turn(plan, transpose(plan.algorithm.weights), steps)
