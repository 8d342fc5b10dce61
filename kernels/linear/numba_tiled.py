"""tiled: a matrix product and both gradients, by tiles whose sums stay in vector registers.

Idea: weights are read where they lie, and once, by the forward pass: for a few rows of x by dot
  products with rows of weight; for more of them the batch lies across the lanes of a vector, which
  every weight multiplies as a whole, and y is transposed at the end; so is dx, unless its rows are
  few, or so many that it pays to cut weight into strips of a vector's width on the way. dweight is
  written where it lies, along its rows; x and dy, small beside it, are cut beforehand. A step of
  SGD is taken on each piece of dweight while that is in the first cache: memory never sees it.
Takes: float32, every shape.

Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), for the blocks;
sums have an order that depends on the problem and on the width of the vectors, never on threads.
"""

from gpuconv.cpu import host
from gpuconv.device import Device

from .._cpu_cost import arithmetic
from .op import LinearProblem, linear, linear_input, linear_sgd, linear_weight


def _refuses(problem: LinearProblem, device: Device) -> str | None:
    known = problem.epilogue in ("", "relu")
    return None if known else f"knows no epilogue {problem.epilogue!r}"


def _forward_workspace(problem: LinearProblem, device: Device) -> int:
    from . import _numba_run as run

    return run.forward_workspace(problem)


def _input_workspace(problem: LinearProblem, device: Device) -> int:
    from . import _numba_run as run

    return run.input_workspace(problem)


def _weight_workspace(problem: LinearProblem, device: Device) -> int:
    from . import _numba_run as run

    return run.weight_workspace(problem)


@linear.kernel(
    "tiled",
    backend="numba",
    records=True,
    precisions=("fp32",),
    refuses=_refuses,
    workspace=_forward_workspace,
    cost=arithmetic(linear, "numba", "rows"),
)
def forward(outs, ins, problem, work):
    """y = x @ weight^T + bias, with ReLU before y is stored."""
    from . import _numba_run as run

    (y,), (x, weight, bias) = outs, ins
    if problem.n:
        run.forward(problem, y, x, weight, bias, work)


@linear_input.kernel(
    "tiled",
    backend="numba",
    records=True,
    precisions=("fp32",),
    workspace=_input_workspace,
    cost=arithmetic(linear_input, "numba", "rows"),
)
def input_gradient(outs, ins, problem, work):
    """dx = dy @ weight."""
    from . import _numba_run as run

    (dx,), (dy, weight) = outs, ins
    if problem.n:
        run.input_gradient(problem, dx, dy, weight, work)


@linear_weight.kernel(
    "tiled",
    backend="numba",
    records=True,
    precisions=("fp32",),
    workspace=_weight_workspace,
    cost=arithmetic(linear_weight, "numba", "rows"),
)
def weight_gradient(outs, ins, problem, work):
    """dweight = dy^T @ x."""
    from . import _numba_run as run

    (dweight,), (x, dy) = outs, ins
    if problem.n:
        run.weight_gradient(problem, dweight, x, dy, work)
    else:
        host(dweight.fill, 0)


@linear_sgd.kernel(
    "tiled",
    backend="numba",
    records=True,
    precisions=("fp32",),
    refuses=lambda problem, device: None if problem.n else "has no rows to add up",
    workspace=_weight_workspace,
    cost=arithmetic(linear_sgd, "numba", "rows"),
)
def step(outs, ins, problem, work):
    """dweight = dy^T @ x, piece by piece; the bits are those of linear_weight and sgd."""
    from . import _numba_run as run

    (weight, velocity), (x, dy, lr) = outs, ins
    run.weight_step(problem, weight, velocity, x, dy, lr, work)
