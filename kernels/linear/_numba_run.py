"""The CPU's linear layers: how a product is cut into tiles, what is packed, which loops run."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from gpuconv import cpu
from gpuconv.cpu import native, simd
from gpuconv.cpu.jit import Bound, Task
from gpuconv.cpu.matrix import Dots, Panel, Strips, Sweep

from ..sgd import numba_vectors as sgd
from . import _numba_tasks as tasks
from .op import LinearProblem, LinearSGDProblem

OUTPUTS = 24  # of a forward task: their weights of one chunk fill a part of the second cache
DEEP = 1024  # inputs of a chunk, where several tiles of rows share the weights
FULL = 8  # rows of x from which on they are laid across the lanes
MANY = 32  # rows of dy from which on it pays to cut weights into strips for all of them
DEEP_ACROSS, ACROSS = 512, 5  # inputs of a chunk, and tiles of outputs in a task
# Rows of weights read side by side: they are often a multiple of 4 KiB apart, and then share a set
# of the first cache, which holds 8 or 12 lines.
STREAMS = 10
DEEP_LINES, LINE = 128, 16  # outputs of a chunk whose rows are read by lines of the cache
FEW, FACTORS = 4, 8  # rows of dy that are kept in registers, a few of their elements at a time
SWEPT = 1024  # inputs of a task for few rows
TILES = 16  # of rows of dweight in a task
ROWS = 512  # of x that a tile of a weight gradient adds up in one go
CHUNK, BLOCK = 64, 512  # outputs and inputs of the weights that are cut into strips at once
TALL = 66  # rows of x whose chunk fills the other part
WIDE = 4  # rows of weights read side by side
HIGH = {16: 3, 32: 6}  # rows of x beside them, by registers

CACHED = 256  # problems whose loops are kept ready
Work = tuple[int, Bound]  # how many indices, and the task


@dataclass(frozen=True)
class Cut:
    """``size`` things in tiles of ``step``, and a last one of ``rest`` (0: none is left over)."""

    size: int
    step: int

    @property
    def rest(self) -> int:
        """What the last tile has where it is not whole."""
        return self.size % self.step


def _tiles(kind: Any, down: Cut, across: Cut, *more: int) -> dict[str, int]:
    """Addresses of the whole tile, and of those at the end of either side, and of both."""

    def built(rows: int, columns: int) -> int:
        return native.address(kind(rows, columns, *more)) if rows and columns else 0

    return {
        "tile": built(down.step, across.step),
        "last_tile": built(down.rest, across.step),
        "corner": built(down.step, across.rest),
        "last_corner": built(down.rest, across.rest),
    }


@lru_cache(CACHED)
def _forward(problem: LinearProblem, level: str) -> Work:
    high, wide, lanes = min(problem.n, HIGH[simd.REGISTERS[level]]), WIDE, simd.WIDTHS[level]
    rows, columns = Cut(problem.n, high), Cut(problem.o, wide)
    block = OUTPUTS if problem.o > OUTPUTS else ceil(problem.o / wide / 2) * wide
    bound = tasks.forward.bind(
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        **_tiles(Dots, rows, columns, lanes),
        high=high,
        wide=wide,
        block=block,
        chunk=DEEP if problem.n > high else problem.i,
        tall=TALL // high * high,
        lanes=lanes,
        relu=int(problem.epilogue == "relu"),
    )
    return ceil(problem.o / block), bound


@lru_cache(CACHED)
def _forward_across(problem: LinearProblem, level: str) -> Work:
    lanes = cpu.lanes_for(problem.n)
    high = min(problem.o, cpu.rows_for(lanes), STREAMS)
    block = ACROSS * high if problem.o > ACROSS * high else ceil(problem.o / high / 2) * high
    bound = tasks.forward_across.bind(
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        **_tiles(Panel, Cut(problem.o, high), Cut(problem.n, lanes), True),
        high=high,
        lanes=lanes,
        block=block,
        chunk=DEEP_ACROSS,
    )
    return ceil(problem.o / block), bound


def forward_workspace(problem: LinearProblem) -> int:
    """Bytes: x in strips, and y's transpose, where the batch fills vectors."""
    return 4 * problem.n * (problem.i + problem.o) if problem.n >= FULL else 0


def forward(problem: LinearProblem, y: Any, x: Any, weight: Any, bias: Any, work: Any) -> None:
    """Fill ``y``; weights are read where they lie, once."""
    if problem.n < FULL:
        count, bound = _forward(problem, cpu.level())
        bound.each(count, x=x, weight=weight, bias=bias, y=y)
        return
    (count, bound), memory = _forward_across(problem, cpu.level()), work.view(np.float32)
    _panels(x.T, cpu.lanes_for(problem.n), memory)
    across = memory[x.size :]
    bound.each(count, x=memory, weight=weight, y=across)
    cpu.host(_finish, y, across.reshape(problem.o, problem.n).T, bias, problem.epilogue)


def _finish(y: np.ndarray, product: np.ndarray, bias: np.ndarray | None, epilogue: str) -> None:
    """y = the product, the bias, and what comes after."""
    if bias is None:
        np.copyto(y, product)
    else:
        np.add(product, bias, out=y)
    if epilogue == "relu":
        np.maximum(y, 0, out=y)


def _rows(problem: LinearProblem, size: int) -> tuple[Cut, Cut]:
    """Tiles of ``size`` rows, and strips of the inputs."""
    lanes = cpu.lanes_for(problem.i)
    return Cut(size, min(size, cpu.rows_for(lanes))), Cut(problem.i, lanes)


def _panels(x: np.ndarray, step: int, out: np.ndarray) -> None:
    """Columns of ``x`` (n, c) in panels of ``step``: each (n, step), one after the other."""
    n, c = x.shape
    whole = c // step
    flat = out[: x.size]
    panels = flat[: n * whole * step].reshape(whole, n, step)
    cpu.host(np.copyto, panels.transpose(1, 0, 2), x[:, : whole * step].reshape(n, whole, step))
    if whole * step < c:
        cpu.host(np.copyto, flat[n * whole * step :].reshape(n, -1), x[:, whole * step :])


def _block(inputs: int) -> int:
    """Inputs of a task: enough tasks for every core, whatever their number."""
    return BLOCK if inputs > 4 * BLOCK else BLOCK // 4


def input_workspace(problem: LinearProblem) -> int:
    """Bytes: dy in strips and dx's transpose; or dy in panels, and the strips of every task."""
    if problem.n <= FEW:
        return 0
    if FULL <= problem.n <= MANY:
        return 4 * problem.n * (problem.o + problem.i)
    block = _block(problem.i)
    return 4 * (problem.n * problem.o + ceil(problem.i / block) * (CHUNK + 1) * block)


@lru_cache(CACHED)
def _input_gradient(problem: LinearProblem, level: str) -> Work:
    rows, strips = _rows(problem, problem.n)
    block = _block(problem.i)
    bound = tasks.input_gradient.bind(
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        pack=native.address(Strips(strips.step)),
        last_pack=native.address(Strips(strips.rest)) if strips.rest else 0,
        **_tiles(Panel, rows, strips),
        high=rows.step,
        lanes=strips.step,
        block=block,
        chunk=CHUNK,
    )
    return ceil(problem.i / block), bound


@lru_cache(CACHED)
def _input_across(problem: LinearProblem, level: str) -> Work:
    lanes = cpu.lanes_for(problem.n)
    high = min(problem.i, cpu.rows_for(lanes), LINE)
    block = _block(problem.i) // high * high
    bound = tasks.input_gradient_across.bind(
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        **_tiles(Panel, Cut(problem.i, high), Cut(problem.n, lanes)),
        high=high,
        lanes=lanes,
        block=block,
        chunk=DEEP_LINES,
    )
    return ceil(problem.i / block), bound


@lru_cache(CACHED)
def _few(problem: LinearProblem, level: str) -> Work:
    lanes, deep = simd.WIDTHS[level], min(problem.o, FACTORS // problem.n)
    rest = problem.o % deep
    bound = tasks.input_gradient_of_few.bind(
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        tile=native.address(Sweep(problem.n, deep, lanes)),
        last_tile=native.address(Sweep(problem.n, rest, lanes)) if rest else 0,
        deep=deep,
        lanes=lanes,
        block=SWEPT,
    )
    return ceil(problem.i / SWEPT), bound


def input_gradient(problem: LinearProblem, dx: Any, dy: Any, weight: Any, work: Any) -> None:
    """Fill ``dx``."""
    if problem.n <= FEW:
        count, bound = _few(problem, cpu.level())
        bound.each(count, slope=dy, weight=weight, dx=dx)
        return
    if FULL <= problem.n <= MANY:
        (count, bound), memory = _input_across(problem, cpu.level()), work.view(np.float32)
        _panels(dy.T, cpu.lanes_for(problem.n), memory)
        across = memory[dy.size : dy.size + dx.size]
        bound.each(count, slope=memory, weight=weight, dx=across)
        cpu.host(np.copyto, dx, across.reshape(problem.i, problem.n).T)
        return
    (count, bound), memory = _input_gradient(problem, cpu.level()), work.view(np.float32)
    _panels(dy.T, _rows(problem, problem.n)[0].step, memory)
    bound.each(count, slope=memory, weight=weight, dx=dx, strips=memory[dy.size :])


def weight_workspace(problem: LinearProblem) -> int:
    """Bytes: x in strips, and dy in panels."""
    return 4 * problem.n * (problem.i + problem.o)


@lru_cache(CACHED)
def _weight_gradient(problem: LinearProblem, level: str, task: Task, **more: int) -> Work:
    rows, strips = _rows(problem, problem.o)
    block, high = _block(problem.i), TILES * rows.step
    parts = ceil(problem.i / block)
    bound = task.bind(
        **more,
        rows=problem.n,
        inputs=problem.i,
        outputs=problem.o,
        **_tiles(Panel, rows, strips),
        high=rows.step,
        lanes=strips.step,
        block=block,
        parts=parts,
        block_out=high,
        chunk=ROWS,
    )
    return parts * ceil(problem.o / high), bound


def _operands(problem: LinearProblem, x: Any, dy: Any, work: Any) -> dict[str, Any]:
    """x in strips and dy in panels, in the workspace."""
    memory, (rows, strips) = work.view(np.float32), _rows(problem, problem.o)
    _panels(x, strips.step, memory)
    _panels(dy, rows.step, memory[x.size :])
    return {"x": memory, "slope": memory[x.size :]}


def weight_gradient(problem: LinearProblem, dweight: Any, x: Any, dy: Any, work: Any) -> None:
    """Fill ``dweight``, each element once."""
    count, bound = _weight_gradient(problem, cpu.level(), tasks.weight_gradient)
    bound.each(count, **_operands(problem, x, dy, work), dweight=dweight)


def weight_step(
    problem: LinearSGDProblem, weight: Any, velocity: Any, x: Any, dy: Any, lr: Any, work: Any
) -> None:
    """Take a step of SGD; the gradient goes to no memory."""
    step = sgd.formula(problem.form, problem.nesterov, velocity is not None).tile.address
    count, bound = _weight_gradient(problem, cpu.level(), tasks.weight_step, step=step)
    rates = sgd.rates(problem.step, lr)
    given = {"weight": weight, "velocity": velocity, "rates": rates}
    bound.each(count, **_operands(problem, x, dy, work), **given)
