"""taps: one strided view of the input per window position, over all outputs at once."""

import numpy as np

from gpuconv.device import Device

from . import _numpy as shared
from .op import Pool2dProblem, max_pool2d, max_pool2d_backward

Tap = tuple[int, tuple, tuple]


def _cost(problem: Pool2dProblem, device: Device) -> float:
    """Seconds: a handful of NumPy calls per window position and block, 2.5 ns per output."""
    outputs = problem.n * problem.c * problem.p * problem.q
    calls = 15e-6 * len(list(shared.blocks(problem)))
    return problem.kernel[0] * problem.kernel[1] * (calls + 2.5e-9 * outputs)


def _taps(problem: Pool2dProblem) -> list[Tap]:
    """Window positions in row-major order: flat offset, the outputs, the inputs they meet."""
    return [
        (down * problem.w + across, (..., rows, cols), (..., met_rows, met_cols))
        for down, rows, met_rows in shared.joins(problem, 0)
        for across, cols, met_cols in shared.joins(problem, 1)
    ]


def _corners(problem: Pool2dProblem) -> np.ndarray:
    """Flat index (P, Q) of every window's first position, which may lie in the padding."""
    rows = np.arange(problem.p) * problem.stride[0] - problem.padding[0][0]
    cols = np.arange(problem.q) * problem.stride[1] - problem.padding[1][0]
    return (rows[:, None] * problem.w + cols).astype(np.int32)


def _first(problem: Pool2dProblem, taps: list[Tap]) -> np.ndarray:
    """Offset (P, Q) of every window's first real element: what an all -inf window points to."""
    first = np.zeros((problem.p, problem.q), np.int32)
    for offset, out, _ in reversed(taps):
        first[out] = offset
    return first


@max_pool2d.kernel("taps", backend="numpy", rank=40, cost=_cost)
def maximum(outs, ins, problem, work):
    """y = running maximum over the window; index = the offset where it last rose.

    Offsets of real elements grow in row-major order, so the last rise is the largest of them, and
    a maximum takes the place of a slow masked copy.
    """
    y, index, x = map(shared.planes, (*outs, *ins))
    taps, corners = _taps(problem), _corners(problem)
    y.fill(-np.inf)
    index[...] = _first(problem, taps)
    for block in shared.blocks(problem):
        for offset, out, met in taps:
            best, at = y[block][out], index[block][out]
            here = np.ascontiguousarray(x[block][met])
            better = ~(here <= best)  # true where here is NaN
            better &= best == best  # but the first NaN stays
            np.maximum(best, here, out=best)
            np.maximum(at, better * np.int32(offset), out=at)
        index[block] += corners


@max_pool2d_backward.kernel("taps", backend="numpy", rank=40, cost=_cost)
def maximum_gradient(outs, ins, problem, work):
    """dx = dy where the index points to this window position, position after position.

    Bits times 0 or 1 select faster than numpy.where, and let no NaN through.
    """
    dx, dy, index = map(shared.planes, (*outs, *ins))
    taps, corners = _taps(problem), _corners(problem)
    dx.fill(0)
    for block in shared.blocks(problem):
        offsets = index[block] - corners
        bits = dy[block].view(f"i{dy.itemsize}")
        for offset, out, met in taps:
            part = dx[block][met]
            part += ((offsets[out] == offset) * bits[out]).view(dy.dtype)
