"""direct: one thread per output; gradients, which gather, one thread per input element."""

from typing import Any

from gpuconv.cuda import Source

from .._cuda import Launcher
from .op import (
    Pool2dProblem,
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

SOURCE = Source(__file__)


def _launch(entry: str, problem: Pool2dProblem, out: Any, *arrays: Any) -> None:
    """A thread for each element of ``out``."""
    rows, cols = (problem.p, problem.q)
    reach = [
        windows * stride + window * dilation  # beyond the last window's last position
        for windows, stride, window, dilation in (
            (rows, problem.stride[0], problem.kernel[0], problem.dilation[0]),
            (cols, problem.stride[1], problem.kernel[1], problem.dilation[1]),
        )
    ]
    run = Launcher(SOURCE, problem, *reach, problem.h * problem.w)
    run.each(entry, out.size, out, *arrays, _struct(run, problem))


def _struct(run: Launcher, problem: Pool2dProblem) -> Any:
    """The problem as common.cuh's Pool2d."""
    (top, bottom), (left, right) = problem.padding
    return run.struct(
        h=problem.h,
        w=problem.w,
        r=problem.kernel[0],
        s=problem.kernel[1],
        p=problem.p,
        q=problem.q,
        stride_h=problem.stride[0],
        stride_w=problem.stride[1],
        pad_top=top,
        pad_left=left,
        pad_bottom=bottom,
        pad_right=right,
        dilation_h=problem.dilation[0],
        dilation_w=problem.dilation[1],
        include_pad=getattr(problem, "count_include_pad", False),
    )


@max_pool2d.kernel("direct", backend="cuda")
def maximum(outs, ins, problem, work):
    """y and index of each window's first maximum."""
    _launch("max_pool2d", problem, *outs, *ins)


@max_pool2d_backward.kernel("direct", backend="cuda")
def maximum_gradient(outs, ins, problem, work):
    """dx = the sum of dy over the windows whose maximum the element was."""
    _launch("max_pool2d_backward", problem, *outs, *ins)


@avg_pool2d.kernel("direct", backend="cuda")
def average(outs, ins, problem, work):
    """y = sum of the window / divisor."""
    _launch("avg_pool2d", problem, *outs, *ins)


@avg_pool2d_backward.kernel("direct", backend="cuda")
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / divisor over the windows that hold the element."""
    _launch("avg_pool2d_backward", problem, *outs, *ins)
