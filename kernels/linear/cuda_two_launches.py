"""two_launches: the weight gradient into the workspace, then the step of SGD over it.

Idea: the kernels that linear_weight and sgd take by themselves, one after the other. What the CPU
  gains by never writing the gradient to memory, a GPU would lose by cutting its matrix product into
  the tiles of a step.
Takes: what those two take.
"""

from gpuconv import device as devices
from gpuconv.device import Device
from gpuconv.registry import choose

from ..sgd.op import sgd
from ._two_steps import gradient_bytes, gradient_in
from .op import LinearSGDProblem, linear_sgd, linear_weight


def _own(problem: LinearSGDProblem, device: Device) -> int:
    """Bytes of the weight gradient in whole vectors of the workspace that stands behind it."""
    return -(-gradient_bytes(problem, device) // 256) * 256


def _workspace(problem: LinearSGDProblem, device: Device) -> int:
    kernel = choose(linear_weight, problem.gradient, device)
    return _own(problem, device) + kernel.workspace(problem.gradient, device)


def _cost(problem: LinearSGDProblem, device: Device) -> float:
    """Seconds of both, as they predict them."""
    parts = ((linear_weight, problem.gradient), (sgd, problem.step))
    costs = (choose(op, part, device).cost(part, device) for op, part in parts)
    return sum(cost or 0.0 for cost in costs)


@linear_sgd.kernel("two_launches", backend="cuda", workspace=_workspace, cost=_cost)
def run(outs, ins, problem, work):
    """dweight = dy^T @ x; then weight and velocity change in place."""
    (weight, velocity), (x, dy, lr) = outs, ins
    device, slope = devices.of(weight), gradient_in(work, problem)
    gradient, step = (
        choose(op, p, device) for op, p in ((linear_weight, problem.gradient), (sgd, problem.step))
    )
    rest = work[_own(problem, device) :]
    gradient.run((slope,), (x, dy), problem.gradient, rest if rest.size else None)
    moving = None if velocity is None else velocity.reshape(-1)
    step.run((weight.reshape(-1), moving), (slope.reshape(-1), lr), problem.step, None)
