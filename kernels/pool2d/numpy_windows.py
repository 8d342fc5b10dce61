"""windows: one argmax per output position, over all planes at once; for few and large windows."""

from collections.abc import Iterator

import numpy as np

from gpuconv.device import Device

from . import _numpy as shared
from .op import Pool2dProblem, max_pool2d, max_pool2d_backward


def _cost(problem: Pool2dProblem, device: Device) -> float:
    """Seconds: a handful of NumPy calls per output position, 1.5 ns per element of a window."""
    elements = problem.n * problem.c * problem.kernel[0] * problem.kernel[1]
    return problem.p * problem.q * (40e-6 + 1.5e-9 * elements)


def _windows(problem: Pool2dProblem) -> Iterator[tuple[tuple, tuple, np.ndarray]]:
    """Every output position, the slices of its window's real elements, and their flat indices."""
    plane = np.arange(problem.h * problem.w, dtype=np.int32).reshape(problem.h, problem.w)
    for p, q in np.ndindex(problem.p, problem.q):
        window = _real(problem, 0, p), _real(problem, 1, q)
        yield (slice(None), p, q), (slice(None), *window), plane[window]


def _real(problem: Pool2dProblem, axis: int, out: int) -> slice:
    size, step = (problem.h, problem.w)[axis], problem.dilation[axis]
    start = out * problem.stride[axis] - problem.padding[axis][0]
    skipped = max(0, -(start // step))
    stop = min(size, start + step * (problem.kernel[axis] - 1) + 1)
    return slice(start + skipped * step, stop, step)


@max_pool2d.kernel("windows", backend="numpy", rank=50, cost=_cost)
def maximum(outs, ins, problem, work):
    """y = the window's argmax: NumPy's is the first maximum, and the first NaN before all."""
    y, index, x = map(shared.planes, (*outs, *ins))
    for out, window, flat in _windows(problem):
        elements = x[window].reshape(len(x), flat.size)
        at = elements.argmax(1)
        y[out] = np.take_along_axis(elements, at[:, None], 1)[:, 0]
        index[out] = flat.reshape(-1)[at]


@max_pool2d_backward.kernel("windows", backend="numpy", rank=50, cost=_cost)
def maximum_gradient(outs, ins, problem, work):
    """dx = dy where the index is the element's own, window after window."""
    dx, dy, index = map(shared.planes, (*outs, *ins))
    bits = dy.view(f"i{dy.itemsize}")
    dx.fill(0)
    for out, window, flat in _windows(problem):
        part = dx[window]
        part += ((index[out][:, None, None] == flat) * bits[out][:, None, None]).view(dy.dtype)
