"""direct: one window after the other from the definition, for a vector of channels at once.

Idea: in blocks of channels (formats.py) a pixel is a vector, so that a window is a few loads, and
  comparing, choosing and adding need no neighbours. What comes in NCHW is reordered in the
  workspace. A gradient's row gathers the windows that it lies in, in row-major order, which gives
  the same bits whatever the number of threads.
Takes: float32, every window, stride, padding and dilation.
"""

from typing import Any

from .op import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 30,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
    "records": True,
}
WRITTEN_OUT = ((2, 2), (3, 3))  # windows whose loops are: the code is compiled for each


def reordered(*names: str) -> Any:
    """The workspace of these arrays in blocks, where they come in NCHW."""

    def size(problem, device):
        from ._numba_run import workspace

        return workspace(*names)(problem, device)

    return size


def _cost(problem: Any, device: Any) -> float:
    """Seconds: the calls, an array's reordering and use, the elements of every window."""
    planes, outputs = problem.n * problem.c, problem.p * problem.q
    taps = problem.kernel[0] * problem.kernel[1]
    elements = problem.h * problem.w + (2 + taps / 8) * outputs
    return 2e-4 + 5e-10 * planes * elements


def _window(problem: Any) -> tuple[int, int]:
    return problem.kernel if problem.kernel in WRITTEN_OUT else (0, 0)


@max_pool2d.kernel("direct", workspace=reordered("x", "y", "index"), cost=_cost, **DECLARED)
def maximum(outs, ins, problem, work):
    """y = the first maximum in row-major order, the first NaN before all; index = its place."""
    from . import _numba_axes, _numba_run, _numba_tasks

    def run(outs: tuple, ins: tuple) -> None:
        (y, index), (x,) = outs, ins
        task = _numba_tasks.maximum(x.shape[-1], *_window(problem))
        channels = problem.c if x.shape[0] == problem.n else problem.n * problem.c
        fields = {"x": x, "y": y, "index": index, "blocks": x.shape[1], "channels": channels}
        windows = _numba_axes.windows(problem)
        _numba_run.walk(task, windows, y, **fields)

    y, index = outs
    _numba_run.in_blocks(run, {"y": y, "index": index}, {"x": ins[0]}, problem, work)


@max_pool2d_backward.kernel(
    "direct", workspace=reordered("x", "y", "index"), cost=_cost, **DECLARED
)
def maximum_gradient(outs, ins, problem, work):
    """dx = the sum of dy over the windows whose index is the element's own."""
    from . import _numba_axes, _numba_run, _numba_tasks

    def run(outs: tuple, ins: tuple) -> None:
        (dx,), (dy, index) = outs, ins
        windows = _numba_axes.windows(problem)
        task = _numba_tasks.maximum_gradient(dx.shape[-1], _window(problem)[1])
        fields = {"dx": dx, "dy": dy, "index": index}
        _numba_run.walk(task, windows, dx, **fields)

    dy, index = ins
    _numba_run.in_blocks(run, {"dx": outs[0]}, {"dy": dy, "index": index}, problem, work)


@avg_pool2d.kernel("direct", workspace=reordered("x", "y"), cost=_cost, **DECLARED)
def average(outs, ins, problem, work):
    """y = the sum of the window's real elements, times 1 / divisor."""
    from . import _numba_axes, _numba_run

    _numba_run.average(_numba_axes.windows(problem), outs, ins, problem, work)


@avg_pool2d_backward.kernel("direct", workspace=reordered("x", "y"), cost=_cost, **DECLARED)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy times 1 / divisor over the windows that the element lies in."""
    from . import _numba_axes, _numba_run

    windows = _numba_axes.windows(problem)
    _numba_run.average_gradient(windows, outs, ins, problem, work)
