"""What the CUDA pooling kernels share: the problem as common.cuh's struct, bounds, a cost."""

from math import prod
from typing import Any

from gpuconv.cuda import Source

from .. import _cost
from .._cuda import Launcher
from .op import AvgPool2dProblem, Pool2dProblem


def launcher(source: Source, problem: Pool2dProblem) -> Launcher:
    """A launcher whose indices reach every element and every position of a window."""
    rows, cols = (problem.p, problem.q)
    reach = [
        windows * stride + window * dilation  # beyond the last window's last position
        for windows, stride, window, dilation in (
            (rows, problem.stride[0], problem.kernel[0], problem.dilation[0]),
            (cols, problem.stride[1], problem.kernel[1], problem.dilation[1]),
        )
    ]
    return Launcher(source, problem, *reach, problem.h * problem.w, prod(problem.kernel))


def struct(run: Launcher, problem: Pool2dProblem) -> Any:
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


def cost(problem: AvgPool2dProblem, lanes: int) -> float:
    """Seconds of averages by ``lanes`` threads each."""
    outputs, window = prod(problem.spec("y")[0]), prod(problem.kernel)
    return _cost.sums(problem, results=outputs, terms=window, lanes=lanes)
