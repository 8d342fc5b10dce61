"""Moves channels from planes into blocks of lanes, and back (formats.py says what blocks are)."""

from typing import Any

import numpy as np

from .jit import floats, task


@task("x y channels plane blocks lanes")
def _to_blocks(g: Any, i: int) -> None:
    """One block of one image: a pixel's lanes side by side, 0 in those without a channel."""
    n, first, lanes = i // g.blocks, i % g.blocks * g.lanes, g.lanes
    count = min(lanes, g.channels - first)
    x = floats(g.x + 4 * (n * g.channels + first) * g.plane, (count, g.plane))
    y = floats(g.y + 4 * i * g.plane * lanes, (g.plane, lanes))
    for at in range(g.plane):
        for lane in range(count):
            y[at, lane] = x[lane, at]
        for lane in range(count, lanes):
            y[at, lane] = 0


@task("x y channels plane blocks lanes")
def _to_planes(g: Any, i: int) -> None:
    """The channels of one block of one image, each in its plane."""
    n, first, lanes = i // g.blocks, i % g.blocks * g.lanes, g.lanes
    count = min(lanes, g.channels - first)
    y = floats(g.y + 4 * (n * g.channels + first) * g.plane, (count, g.plane))
    x = floats(g.x + 4 * i * g.plane * lanes, (g.plane, lanes))
    for at in range(g.plane):
        for lane in range(count):
            y[lane, at] = x[at, lane]


def to_blocks(x: np.ndarray, y: np.ndarray) -> None:
    """Fill ``y`` (N, blocks, ..., lanes) from ``x`` (N, C, ...); both float32 and contiguous."""
    n, channels, blocks, lanes = *x.shape[:2], y.shape[1], y.shape[-1]
    sizes = {"channels": channels, "plane": _plane(x), "blocks": blocks, "lanes": lanes}
    _to_blocks.each(n * blocks, x=x, y=y, **sizes)


def to_planes(x: np.ndarray, y: np.ndarray) -> None:
    """Fill ``y`` (N, C, ...) from ``x`` (N, blocks, ..., lanes); both float32 and contiguous."""
    n, channels, blocks, lanes = *y.shape[:2], x.shape[1], x.shape[-1]
    sizes = {"channels": channels, "plane": _plane(y), "blocks": blocks, "lanes": lanes}
    _to_planes.each(n * blocks, x=x, y=y, **sizes)


def _plane(x: np.ndarray) -> int:
    return x[0, 0].size if x.size else 0
