"""matmul: one matrix product of NumPy's BLAS each."""

import numpy as np

from .._cpu_cost import threaded_blas
from .op import linear, linear_input, linear_weight


def _refuses(problem, device):
    known = problem.epilogue in ("", "relu")
    return None if known else f"knows no epilogue {problem.epilogue!r}"


@linear.kernel("matmul", backend="numpy", refuses=_refuses, cost=threaded_blas(linear))
def forward(outs, ins, problem, work):
    """y = x @ weight^T + bias."""
    (y,), (x, weight, bias) = outs, ins
    np.matmul(x, weight.T, out=y)
    if bias is not None:
        y += bias
    if problem.epilogue == "relu":
        np.maximum(y, 0, out=y)


@linear_input.kernel("matmul", backend="numpy", cost=threaded_blas(linear_input))
def input_gradient(outs, ins, problem, work):
    """dx = dy @ weight."""
    (dx,), (dy, weight) = outs, ins
    np.matmul(dy, weight, out=dx)


@linear_weight.kernel("matmul", backend="numpy", cost=threaded_blas(linear_weight))
def weight_gradient(outs, ins, problem, work):
    """dweight = dy^T @ x."""
    (dweight,), (x, dy) = outs, ins
    np.matmul(dy.T, x, out=dweight)
