"""direct: convolution and both gradients, from the definition, by tiles of vectors in registers.

Idea: a tile is a few neighbouring results of one row times a vector of channels, all in registers;
  each step loads one vector of weights and multiplies it with one input element per result. The
  arithmetic is at the CPU's peak as long as the operands come from its caches. Results are laid
  out in blocks of a vector's channels, inputs as well unless they are too few (_numba_blocks.py);
  what comes and goes as NCHW is reordered in the workspace, what comes in blocks is not. The data
  gradient is the same loop over dy, for strides one for each class of inputs (_axes.py). For the
  weight gradient the tile is a few weights times a vector of channels.
Takes: float32, every shape (strides, padding on four sides, dilation, groups), NCHW or blocks.
Next rung: Winograd's algorithm, which needs fewer multiplications for 3 x 3 weights.

Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD architectures"
(2018). Sums have an order that depends on the problem and on the width of the vectors, never on
the number of threads.
"""

from typing import Any

from gpuconv import cpu
from gpuconv.device import Device

from . import _cpu_cost as cost
from . import _numba_plan as planning
from ._numpy import refuses
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight


def _plan(problem: Conv2dProblem, is_backward: bool = False) -> planning.Plan:
    return planning.plan(problem, is_backward, cpu.level())


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem).parts)


def _input_workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem, True).parts)


def _weight_workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem).weight_parts)


DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 70,
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
    "records": True,
}


@conv2d.kernel(
    "direct", workspace=_workspace, refuses=refuses, **DECLARED, cost=cost.direct("conv2d")
)
def forward(outs, ins, problem, work):
    """y = sum over c, r, s of x * weight, with bias and ReLU before y is stored."""
    from . import _numba_run as run

    (y,), (x, weight, bias), plan = outs, ins, _plan(problem)
    places = planning.carve(work, plan.parts)
    run.convolve(plan, y, x, weight, places, bias, problem.epilogue == "relu")


@conv2d_input.kernel(
    "direct", workspace=_input_workspace, **DECLARED, cost=cost.direct("conv2d_input")
)
def input_gradient(outs, ins, problem, work):
    """dx = sum over the results that an input took part in."""
    from . import _numba_run as run

    (dx,), (dy, weight), plan = outs, ins, _plan(problem, True)
    run.convolve(plan, dx, dy, weight, planning.carve(work, plan.parts))


@conv2d_weight.kernel(
    "direct", workspace=_weight_workspace, **DECLARED, cost=cost.direct("conv2d_weight")
)
def weight_gradient(outs, ins, problem, work):
    """dweight = sum over all results of dy * x."""
    from . import _numba_run as run

    (dweight,), (x, dy), plan = outs, ins, _plan(problem)
    run.weight_gradient(plan, dweight, x, dy, planning.carve(work, plan.weight_parts))
