"""What a convolution is expected to take on the CPU: chooses between NumPy's kernels and ours.

A sum of what a kernel does one after the other: arithmetic, at the rate that its tiles reach, and
the memory that is moved before and after it, each at the rate that was seen for this kind of move.
The rates are one core's, gpuconv/cpu/rates.py.
"""

from collections.abc import Callable
from math import ceil

from gpuconv import cpu
from gpuconv.cpu import simd
from gpuconv.cpu.rates import rates
from gpuconv.device import Device

from . import _axes, _numpy
from . import _numba_plan as planning
from . import _numba_winograd_plan as winograd
from ._numba_plan import BYTES, Plan
from .op import Conv2dProblem

Cost = Callable[[Conv2dProblem, Device], float]

BUSY = 8  # sums that a tile must have: as many are under way at once
PER_LANE = 0.25  # of the FLOPs, where every lane has a source of its own to load
REGION = 3e-5  # seconds until all threads have begun and ended, and Python has said what to do
UFUNC, PRODUCT = 8e-6, 1.5e-6  # seconds of a call, and of each matrix of a batch of them
PICK = 1.7e-9  # seconds for an element that lies apart from the others of its window position


def im2col(op: str) -> Cost:
    """NumPy's im2col: columns are written and read once, the data gradient adds them up again."""
    visits = {"conv2d": 1.0, "conv2d_input": 2.5, "conv2d_weight": 1.0}[op]

    def cost(problem: Conv2dProblem, device: Device) -> float:
        p, depth = problem, problem.cg * problem.r * problem.s
        images, rows = _numpy.block_size(p, p.groups * depth * p.q)
        passes = max(1, ceil(p.n / images) * ceil(p.p / rows))
        columns = BYTES * p.n * p.groups * depth * p.p * p.q
        taps = p.r * p.s if op == "conv2d_input" else 0
        product = _products(p, depth) + PRODUCT * passes * min(images, p.n) * p.groups
        rest = visits * columns / rates().columns + (_totals(p) if op == "conv2d_weight" else 0.0)
        return UFUNC * passes * (6 + taps) + product + rest

    return cost


def shifts(op: str) -> Cost:
    """NumPy's direct kernel: for each weight a shifted copy, a product and a sum."""

    def cost(problem: Conv2dProblem, device: Device) -> float:
        p, taps = problem, problem.r * problem.s
        images, _ = _numpy.block_size(p, (p.c + p.k) * p.q)
        calls = taps * ceil(p.n / images)
        moved = BYTES * taps * p.n * p.p * p.q * (2 * p.c + 3 * p.k) / rates().add
        picked = PICK * p.k * p.cg * taps if taps > 1 else 0.0
        products = _products(p, p.cg) + PRODUCT * taps * p.n * p.groups
        rest = picked + (_totals(p) if op == "conv2d_weight" else 0.0)
        return UFUNC * (2 + calls) + products + moved + rest

    return cost


def _totals(p: Conv2dProblem) -> float:
    """Seconds to add up NumPy's products of every image, which are as many as weights."""
    return 2 * BYTES * p.n * p.k * p.cg * p.r * p.s / rates().copy


def _products(p: Conv2dProblem, depth: int) -> float:
    """Seconds of NumPy's products, which are slow where a matrix has few rows or columns."""
    flops = 2 * p.n * p.k * p.cg * p.r * p.s * p.p * p.q
    share = p.kg / (p.kg + 4) * depth / (depth + 8)
    return flops / (rates().blas * share)


def direct(op: str) -> Cost:
    """The tiles of numba:direct, idle lanes and short rows too, and what has to be put in order."""

    def cost(problem: Conv2dProblem, device: Device) -> float:
        plan = planning.plan(problem, op == "conv2d_input", cpu.level())
        passes = ceil(problem.n / plan.images)
        flops = sum(_flops(plan, axes) for axes in plan.classes)
        packed = sum(plan.packed(axes) for axes in plan.classes) * len(plan.blocks.results)
        rate = rates().tile * (PER_LANE if plan.blocks.per_lane else 1.0)
        regions = 1 + 3 * passes * len(plan.classes)
        return REGION * regions + flops / rate + packed / rates().pack + _moves(plan)

    return cost


def _flops(plan: Plan, axes: _axes.Axes) -> float:
    """FLOPs in the time of those of a class: lanes without a channel and short tiles count too."""
    (rows, cols), blocks = axes, plan.blocks
    terms = len(rows.taps) * len(cols.taps) * blocks.groups * blocks.depth
    width = _busy(cols.results, blocks.lanes) * max(1, simd.width() // blocks.lanes)
    return 2.0 * plan.problem.n * rows.results * width * blocks.results.size * terms


def _busy(count: int, lanes: int) -> int:
    """Results of a row, where tiles with too few sums take as long as full ones."""
    tiles = planning.cut(count, cpu.rows_for(lanes))
    least = BUSY * simd.width() // lanes
    return (tiles.count - 1) * max(tiles.size, least) + max(tiles.last, least)


def _moves(plan: Plan) -> float:
    """Seconds until the source lies in blocks, and the results where they belong."""
    n, (h, w) = plan.problem.n, plan.source
    source = BYTES * n * h * w * plan.blocks.sources.size
    result = BYTES * n * plan.target[0] * plan.target[1] * plan.blocks.results.size
    before = 0.0 if plan.reads_in_place else source / rates().copy
    before = before if plan.is_source_blocked else source / rates().reorder
    return before + (0.0 if plan.is_result_blocked else result / rates().reorder)


def transformed(op: str) -> Cost:
    """The transforms of numba:winograd, its products, and what has to be put in order."""

    def cost(problem: Conv2dProblem, device: Device) -> float:
        if problem.n == 0:
            return REGION
        plan = winograd.plan(problem, op == "conv2d_input", cpu.level())
        base, blocks = plan.base, plan.blocks
        passes = ceil(problem.n / base.images)
        chunks = passes * ceil(plan.most / plan.chunk)
        tiles = chunks * plan.chunk * max(1.0, _busy(plan.height, blocks.lanes) / plan.height)
        flops = 2.0 * plan.points * tiles * blocks.groups * blocks.depth * blocks.results.size
        channels = blocks.sources.size + blocks.results.size
        weights = plan.points * plan.weight_step
        walked = BYTES * plan.points * passes * plan.most * channels + weights
        packed = weights * plan.algorithm.r**2 / plan.points / rates().pack
        regions = 2 + 3 * chunks + 2 * passes
        return (
            REGION * regions
            + flops / rates().tile
            + walked / rates().transform
            + packed
            + _moves(base)
        )

    return cost
