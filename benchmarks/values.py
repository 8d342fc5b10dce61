"""Values for an op's arrays at real sizes, and what its results should be.

Normal values unless the op draws its own: zeros or ones would flatter a kernel.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from gpuconv import battery
from gpuconv.device import CPU
from gpuconv.errors import KernelError
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.random import Stream
from gpuconv.registry import LINEAR, Op

DRAWN = 1 << 20  # normal values, repeated to fill large arrays
LOOPS = 20_000  # operations up to which the plain loops of the reference are worth their time


def values(op: Op, problem: Problem) -> list[np.ndarray]:
    """Ins and updates in the op's order, in NCHW: the same for every kernel and peer."""
    found = []
    for number, name in enumerate((*op.ins, *op.updates)):
        plain = name.rstrip("?")
        shape, dtype = problem.plain.spec(plain)
        stream = Stream(0, 0, number)
        drawn = op.draw(problem.plain, plain, stream)
        if drawn is None or not np.isfinite(drawn).all():  # NaN: peers differ, and it is no work
            drawn = np.resize(stream.normal((min(DRAWN, prod(shape)),)), shape)
        found.append(np.array(drawn, dtype, order="C").reshape(shape))
    return found


@dataclass(frozen=True)
class Truth:
    """What an op's outs are in float64, and the magnitude that each's rounding is measured by."""

    outs: tuple[np.ndarray, ...]
    scales: tuple[Any, ...]


def truth(op: Op, problem: Problem, arrays: list[np.ndarray]) -> Truth:
    """By the op's reference where that is short, else by NumPy's kernel in float64."""
    sizes = op.flops(problem) + sum(a.size for a in arrays)
    if sizes <= LOOPS:
        outs = battery.expected(op, problem, arrays)
        return Truth(outs, battery.scales(op, problem, outs, arrays))
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    outs = _by_numpy(op, problem, wide)
    if op.scale == LINEAR:
        return Truth(outs, _by_numpy(op, problem, [abs(a) for a in arrays], problem.dtype))
    return Truth(outs, battery.scales(op, problem, outs, arrays))


def _by_numpy(op: Op, problem: Problem, arrays: list[np.ndarray], dtype: str = "float64") -> tuple:
    """What NumPy's kernel gives; in float32 where a sum of magnitudes need not be exact."""
    wide = problem.astype(dtype)
    willing = (
        k
        for k in op.kernels()
        if k.backend == "numpy" and k.objection(wide, CPU, current_limits()) is None
    )
    kernel = next(willing, None)
    if kernel is None:
        raise KernelError(f"bench: {op.name}: no kernel of numpy's takes {wide}")
    outs = battery.outs_of(op, kernel, wide, CPU, arrays)
    return tuple(outs)
