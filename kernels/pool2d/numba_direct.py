"""direct: one result after the other from the definition, for a vector of channels at once.

Idea: in blocks of channels (formats.py) a pixel is a vector, so that a window is a few loads, and
  comparing, choosing and adding need no neighbours. In NCHW the same loop runs on single elements.
  Both gradients gather: an element asks the windows that it lies in, in row-major order, which
  gives the same bits whatever the number of threads.
Takes: float32, every window, stride, padding and dilation.
"""

from typing import Any

from .op import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
}


def _sizes(problem: Any) -> dict[str, int]:
    return {"h": problem.h, "w": problem.w, "p": problem.p, "q": problem.q}


@max_pool2d.kernel("direct", **DECLARED)
def maximum(outs, ins, problem, work):
    """y = the first maximum in row-major order, the first NaN before all; index = its place."""
    from . import _numba_axes, _numba_run, _numba_tasks

    (y, index), (x,) = outs, ins
    fields = {**_sizes(problem), "channels": problem.c, "blocks": x.shape[1]}
    axes = _numba_axes.forward(problem.plain)
    _numba_run.walk(_numba_tasks.maximum, axes, y, x=x, y=y, index=index, **fields)


@max_pool2d_backward.kernel("direct", **DECLARED)
def maximum_gradient(outs, ins, problem, work):
    """dx = the sum of dy over the windows whose index is the element's own."""
    from . import _numba_axes, _numba_run, _numba_tasks

    (dx,), (dy, index) = outs, ins
    axes, sizes = _numba_axes.backward(problem.plain), _sizes(problem)
    _numba_run.walk(_numba_tasks.maximum_gradient, axes, dx, dx=dx, dy=dy, index=index, **sizes)


@avg_pool2d.kernel("direct", **DECLARED)
def average(outs, ins, problem, work):
    """y = the sum of the window's real elements, times 1 / divisor."""
    from . import _numba_axes, _numba_run

    _numba_run.average(_numba_axes.forward(problem.plain), *outs, *ins)


@avg_pool2d_backward.kernel("direct", **DECLARED)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy times 1 / divisor over the windows that the element lies in."""
    from . import _numba_axes, _numba_run

    _numba_run.average(_numba_axes.backward(problem.plain), *outs, *ins)
