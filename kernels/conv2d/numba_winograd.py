"""winograd: 3 x 3 and 5 x 5 convolutions by transforms, with fewer multiplications.

Idea: 4 x 4 results of a 3 x 3 window take 36 products in place of 144, 3 x 3 results of a 5 x 5
  window 49 in place of 225 (_winograd.py). Overlapping tiles of the source are transformed, every
  point of theirs is a matrix product of its own over the channels, and the products are transformed
  back. The data gradient is the same over dy with the window turned round. The weight gradient
  transforms tiles of x and of dy, adds up their products over all tiles, and transforms those back.
  A chunk of tiles passes all stages before the next one, so that it stays in the last cache.
Takes: float32; windows of 3 x 3 or 5 x 5 with stride 1 and dilation 1, any padding, groups.
Gives up: digits and locality. A result is rounded by the size of its whole tile, so its error is
  bounded by its plane's scale. What is NaN or infinite spoils every result whose tile reads it.
  ``algorithm="direct"`` does neither. Greatest error over greatest result against float64 (x
  positive normal, weights and dy normal; forward, data gradient, weight gradient):
    64 to 192 channels, 5 x 5 @ 27    winograd 2.0e-6 4.8e-6 3.6e-6    direct 3.4e-7 4.0e-7 2.8e-7
    192 to 384 channels, 3 x 3 @ 13   winograd 1.8e-6 3.5e-6 6.9e-7    direct 3.6e-7 4.1e-7 3.3e-7
    384 to 256 channels, 3 x 3 @ 13   winograd 3.2e-6 2.9e-6 7.2e-7    direct 3.2e-7 6.2e-7 3.9e-7
    512 to 512 channels, 3 x 3 @ 14   winograd 2.8e-6 4.0e-6 8.7e-7    direct 3.3e-7 4.2e-7 4.4e-7
  NumPy's im2col: 2.5e-7 to 4.4e-7 everywhere.

Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016). Sums have an order that
depends on the problem and on the width of the vectors, never on the number of threads.
"""

from typing import Any

from gpuconv import cpu
from gpuconv.device import Device

from . import _cpu_cost as cost
from . import _numba_plan as planning
from . import _numba_winograd_plan as winograd
from . import _numpy
from ._winograd import RESULTS
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight


def _plan(problem: Conv2dProblem, is_backward: bool = False) -> winograd.Winograd:
    return winograd.plan(problem, is_backward, cpu.level())


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem).parts)


def _input_workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem, True).parts)


def _weight_workspace(problem: Conv2dProblem, device: Device) -> int:
    return planning.workspace(_plan(problem).weight_parts)


def refuses(problem: Conv2dProblem, device: Device) -> str | None:
    """Windows and steps that the algorithm has no transforms for."""
    if problem.r != problem.s or problem.r not in RESULTS:
        return f"takes windows of 3 x 3 and 5 x 5, not {problem.r} x {problem.s}"
    if problem.stride != (1, 1) or problem.dilation != (1, 1):
        return "takes stride 1 and dilation 1 only"
    return _numpy.refuses(problem, device)


# Worst error of 60 draws each of eight shapes, in units of eps * the plane's scale: 3 x 3 windows
# 9.3 forward and 4.4 in the weight gradient, 5 x 5 windows 13.7 and 19.7; both data gradients 7.4.
# It grows as few products meet (one channel, one image); the direct kernel's is 3.1 on the same.
ERROR = 32.0

DECLARED: dict[str, Any] = {
    "backend": "numba",
    "rank": 75,
    "error": ERROR,
    "bound": "plane",
    "precisions": ("fp32",),
    "formats": ("NCHW", "NCHWc"),
    "refuses": refuses,
    "records": True,
}


@conv2d.kernel("winograd", workspace=_workspace, **DECLARED, cost=cost.transformed("conv2d"))
def forward(outs, ins, problem, work):
    """y = A^T ((G w G^T) * (B^T x B)) A for every tile, with bias and ReLU before it is stored."""
    from . import _numba_winograd_run as run

    (y,), (x, weight, bias), plan = outs, ins, _plan(problem)
    places = planning.carve(work, plan.parts)
    run.convolve(plan, y, x, weight, places, bias, problem.epilogue == "relu")


@conv2d_input.kernel(
    "winograd", workspace=_input_workspace, **DECLARED, cost=cost.transformed("conv2d_input")
)
def input_gradient(outs, ins, problem, work):
    """dx: the same over dy, with the window turned round."""
    from . import _numba_winograd_run as run

    (dx,), (dy, weight), plan = outs, ins, _plan(problem, True)
    run.convolve(plan, dx, dy, weight, planning.carve(work, plan.parts))


@conv2d_weight.kernel(
    "winograd", workspace=_weight_workspace, **DECLARED, cost=cost.transformed("conv2d_weight")
)
def weight_gradient(outs, ins, problem, work):
    """dweight = G^T (sum over tiles of (B^T x B) * (A dy A^T)) G."""
    from . import _numba_winograd_run as run

    (dweight,), (x, dy), plan = outs, ins, _plan(problem)
    run.weight_gradient(plan, dweight, x, dy, planning.carve(work, plan.weight_parts))
