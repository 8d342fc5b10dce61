"""What the CUDA convolutions share: the problem as common.cuh's struct, and bounds of indices."""

from typing import Any

from gpuconv.cuda import Source

from .._cuda import Launcher
from .op import Conv2dProblem


def launcher(source: Source, problem: Conv2dProblem, *counts: int, **macros: object) -> Launcher:
    """A launcher whose indices reach every element and every position of the padded image."""
    padded = problem.h + sum(problem.padding[0]), problem.w + sum(problem.padding[1])
    return Launcher(source, problem, *padded, *counts, **macros)


def struct(run: Launcher, problem: Conv2dProblem, has_bias: bool = False) -> Any:
    """The problem as the kernels' Conv2d."""
    sizes = {name: getattr(problem, name) for name in ["n", "c", "h", "w", "k", "r", "s", "p", "q"]}
    return run.struct(
        **sizes,
        stride_h=problem.stride[0],
        stride_w=problem.stride[1],
        pad_top=problem.padding[0][0],
        pad_left=problem.padding[1][0],
        dilation_h=problem.dilation[0],
        dilation_w=problem.dilation[1],
        groups=problem.groups,
        has_bias=has_bias,
        relu=problem.epilogue == "relu",
    )
