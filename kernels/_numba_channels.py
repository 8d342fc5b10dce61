"""Sums over all of a channel, and affine functions of each channel, for several CPU kernels.

An array is (N, blocks, size): a row is a plane of an image, ``lanes`` channels side by side, 1 in
NCHW. The loops know no lanes: they go along a row by 16 elements, and as 16 is a multiple of every
``lanes``, a place in those 16 always belongs to the same channel of the block.

A row is cut into pieces, and a channel's pieces into slices that are summed apart, in float32
within a piece and in float64 beyond. Cuts depend on the sizes alone, and so do the sums' bits.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.cpu import host
from gpuconv.cpu.jit import Bound, Task, task
from gpuconv.cpu.vectors import fma, keep, load, load_some, spread, store, store_some, widen
from gpuconv.shapes import Shape

WIDTH = 16  # elements that a loop takes at once
PIECE = 256 * WIDTH  # elements of a row, at most, whose sum is in float32
TASKS = 32  # that an operation is cut into, at least, where it can be

CUT = "n blocks size piece parts  slices each  "


@task(CUT + "x out")
def sums(g, i):
    """The sums of a slice of a block's pieces."""
    s, b = i // g.blocks, i % g.blocks
    zero = spread(np.float32(0), 16)
    total = widen(zero)
    for k in range(s * g.each, min((s + 1) * g.each, g.n * g.parts)):
        start = k % g.parts * g.piece
        x, count = g.x + 4 * ((k // g.parts * g.blocks + b) * g.size + start), g.size - start
        count = min(count, g.piece)
        line = zero
        for v in range(count // 16):
            line = line + load(x + 64 * v, 16)
        if count % 16:
            line = line + load_some(x + 4 * (count - count % 16), count % 16, 16)
        total = total + widen(line)
    store(total, g.out + 128 * i)


@task(CUT + "x out")
def moments(g, i):
    """Sums and sums of squares of a slice of a block's pieces.

    Within a piece they are those of the distances from about the mean of the piece before, which
    loses no digits: all these distances together are at most 4 times the variance.
    """
    s, b = i // g.blocks, i % g.blocks
    zero, one = spread(np.float32(0), 16), spread(np.float32(1), 16)
    total, squares, shift = widen(zero), widen(zero), zero
    first = s * g.each
    for k in range(first, min((s + 1) * g.each, g.n * g.parts)):
        start = k % g.parts * g.piece
        x, count = g.x + 4 * ((k // g.parts * g.blocks + b) * g.size + start), g.size - start
        count = min(count, g.piece)
        whole, rest = count // 16, count % 16
        weight = spread(np.float32(max(whole, 1)), 16)
        if k == first:
            for v in range(whole):
                shift = shift + load(x + 64 * v, 16)
            if whole == 0:
                shift = load_some(x, rest, 16)
            shift = shift / weight
        line, line_squares = zero, zero
        for v in range(whole):
            apart = load(x + 64 * v, 16) - shift
            line, line_squares = line + apart, fma(apart, apart, line_squares)
        if rest:
            apart = keep(load_some(x + 64 * whole, rest, 16) - shift, rest)
            line, line_squares = line + apart, fma(apart, apart, line_squares)
        here, distance = widen(shift), widen(line)
        offset = here * widen(spread(np.float32(whole), 16) + keep(one, rest))
        total = total + offset + distance
        squares = squares + widen(line_squares) + here * (distance + distance + offset)
        shift = shift + line / weight
    store(total, g.out + 256 * i)
    store(squares, g.out + 256 * i + 128)


@task(CUT + "dy x mean out")
def products(g, i):
    """Sums of dy and of dy * (x - mean) over a slice of a block's pieces."""
    s, b = i // g.blocks, i % g.blocks
    zero, mean = spread(np.float32(0), 16), load(g.mean + 64 * b, 16)
    total, total_products = widen(zero), widen(zero)
    for k in range(s * g.each, min((s + 1) * g.each, g.n * g.parts)):
        start = k % g.parts * g.piece
        offset, count = 4 * ((k // g.parts * g.blocks + b) * g.size + start), g.size - start
        count = min(count, g.piece)
        x, dy, rest = g.x + offset, g.dy + offset, count % 16
        line, line_products = zero, zero
        for v in range(count // 16):
            slope = load(dy + 64 * v, 16)
            line = line + slope
            line_products = fma(slope, load(x + 64 * v, 16) - mean, line_products)
        if rest:
            slope = load_some(dy + 4 * (count - rest), rest, 16)
            apart = keep(load_some(x + 4 * (count - rest), rest, 16) - mean, rest)
            line, line_products = line + slope, fma(slope, apart, line_products)
        total, total_products = total + widen(line), total_products + widen(line_products)
    store(total, g.out + 256 * i)
    store(total_products, g.out + 256 * i + 128)


@task(CUT + "x y mean scale bias")
def affine(g, i):
    """y = (x - mean) * scale + bias over one piece."""
    row, start = i // g.parts, i % g.parts * g.piece
    b, offset, count = row % g.blocks, 4 * (row * g.size + start), min(g.piece, g.size - start)
    mean, scale = load(g.mean + 64 * b, 16), load(g.scale + 64 * b, 16)
    bias, x, y, rest = load(g.bias + 64 * b, 16), g.x + offset, g.y + offset, count % 16
    for v in range(count // 16):
        store(fma(load(x + 64 * v, 16) - mean, scale, bias), y + 64 * v)
    if rest:
        x, y = x + 4 * (count - rest), y + 4 * (count - rest)
        store_some(fma(load_some(x, rest, 16) - mean, scale, bias), y, rest)


@task(CUT + "dy x dx mean slope shift scale")
def slopes(g, i):
    """dx = (dy + (x - mean) * slope + shift) * scale over one piece."""
    row, start = i // g.parts, i % g.parts * g.piece
    b, offset, count = row % g.blocks, 4 * (row * g.size + start), min(g.piece, g.size - start)
    mean, slope = load(g.mean + 64 * b, 16), load(g.slope + 64 * b, 16)
    shift, scale = load(g.shift + 64 * b, 16), load(g.scale + 64 * b, 16)
    x, dy, dx, rest = g.x + offset, g.dy + offset, g.dx + offset, count % 16
    for v in range(count // 16):
        moved = fma(load(x + 64 * v, 16) - mean, slope, load(dy + 64 * v, 16))
        store((moved + shift) * scale, dx + 64 * v)
    if rest:
        at = 4 * (count - rest)
        x, dy, dx = x + at, dy + at, dx + at
        moved = fma(load_some(x, rest, 16) - mean, slope, load_some(dy, rest, 16))
        store_some((moved + shift) * scale, dx, rest)


@dataclass(frozen=True)
class Channels:
    """How an array (N, blocks, ...) of ``lanes`` channels a block is cut."""

    n: int
    blocks: int
    lanes: int
    size: int

    @property
    def parts(self) -> int:
        """Pieces of a row."""
        return ceil(self.size / PIECE)

    @property
    def slices(self) -> int:
        """Sums of every channel that are summed apart."""
        return max(1, min(self.n * self.parts, ceil(TASKS / self.blocks)))

    def add(self, run: Task, channels: int, results: int = 1, **arrays: Any) -> np.ndarray:
        """What a task that sums gives, (results, channels) in float64."""
        return self.total(self.sums(run, results, **arrays), channels)

    def fill(self, y: np.ndarray, run: Task, **arrays: Any) -> None:
        """Set ``y`` (channels,) to what a task that sums gives."""
        out = self.sums(run, 1, **arrays)

        def finish() -> None:
            y[...] = self.total(out, y.size)[0]

        host(finish)

    def sums(self, run: Task, results: int, **arrays: Any) -> np.ndarray:
        """What a task gives that sums slices apart, (slices, blocks, results, WIDTH)."""
        out = np.empty((self.slices, self.blocks, results, WIDTH))
        _bound(self, run).each(self.slices * self.blocks, out=out, **arrays)
        return out

    def total(self, out: np.ndarray, channels: int) -> np.ndarray:
        """(results, channels) of such sums."""
        results = out.shape[2]
        total = out[0] if self.slices == 1 else np.add.reduce(out, 0)
        if self.lanes < WIDTH:
            total = total.reshape(self.blocks, results, WIDTH // self.lanes, self.lanes)
            total = np.add.reduce(total, 2)
        return total.transpose(1, 0, 2).reshape(results, -1)[:, :channels]

    def map(self, run: Task, **arrays: Any) -> None:
        """Run a task that goes through every piece by itself."""
        _bound(self, run).each(self.n * self.blocks * self.parts, **arrays)

    def settle(self, run: Task, channels: int, sums: np.ndarray, **arrays: Any) -> None:
        """Run a task on the sums of each block."""
        sizes = {"slices": self.slices, "blocks": self.blocks, "lanes": self.lanes}
        run.each(self.blocks, sums=sums, **sizes, channels=channels, **arrays)

    def table(self, count: int = 3) -> np.ndarray:
        """Room for ``count`` values of every channel, as tasks read them."""
        return np.empty((count, self.blocks, WIDTH), np.float32)

    def spread(self, row: np.ndarray, values: np.ndarray) -> None:
        """Fill one row of a table from (C,), with 0 in idle lanes."""
        padded = np.zeros(self.blocks * self.lanes, np.float32)
        padded[: len(values)] = values
        row.reshape(self.blocks, -1, self.lanes)[...] = padded.reshape(self.blocks, 1, self.lanes)


@lru_cache
def channels_of(shape: Shape, is_blocked: bool) -> Channels:
    """The cut of an array in NCHW, or (N, blocks, ..., lanes)."""
    n, blocks, *rest = shape
    return Channels(n, blocks, shape[-1] if is_blocked else 1, prod(rest))


@lru_cache
def _bound(cut: Channels, run: Task) -> Bound:
    """A task that knows the cut."""
    pieces, whole = cut.n * cut.parts, ceil(cut.size / max(1, cut.parts) / WIDTH)
    sizes = {"n": cut.n, "blocks": cut.blocks, "size": cut.size, "parts": cut.parts}
    each = ceil(pieces / cut.slices)
    return run.bind(**sizes, piece=whole * WIDTH, slices=cut.slices, each=each)
