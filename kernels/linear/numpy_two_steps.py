"""two_steps: the weight gradient into the workspace, and then the step of SGD."""

from .._cpu_cost import threaded_blas
from ..sgd import numpy_ufunc as sgd
from . import numpy_matmul as matmul
from ._two_steps import gradient_bytes, gradient_in
from .op import linear_sgd


@linear_sgd.kernel(
    "two_steps", backend="numpy", workspace=gradient_bytes, cost=threaded_blas(linear_sgd)
)
def run(outs, ins, problem, work):
    """dweight = dy^T @ x; then weight and velocity change in place."""
    (weight, velocity), (x, dy, lr) = outs, ins
    slope = gradient_in(work, problem)
    matmul.weight_gradient((slope,), (x, dy), problem.gradient, None)
    moving = None if velocity is None else velocity.reshape(-1)
    sgd.run((weight.reshape(-1), moving), (slope.reshape(-1), lr), problem.step, None)
