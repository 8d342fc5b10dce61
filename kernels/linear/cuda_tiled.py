"""tiled: a matrix product through 16 x 16 tiles in shared memory, for all three layouts."""

from gpuconv.cuda import Source, index_type, pack

from .. import _cuda as shared
from .op import linear, linear_input, linear_weight

SOURCE = Source(__file__)
TILE = 16
MAX_ROWS = 65535 * TILE  # the grid's limit along y


def _refuses(problem, device):
    rows = max(problem.n, problem.o)
    if rows > MAX_ROWS:
        return f"takes at most {MAX_ROWS:,} rows, got {rows:,}"
    return shared.refuses_epilogue(problem, device)


def _matmul(problem, y, a, b, sizes, strides, bias=None):
    """y (m, n) = A (m, depth) @ B (depth, n); strides of A and B in elements."""
    m, n, depth = sizes
    names = ("a_row", "a_step", "b_column", "b_step")
    fields = {"m": m, "n": n, "depth": depth, **dict(zip(names, strides, strict=True))}
    fields |= {"has_bias": int(bias is not None), "relu": int(problem.epilogue == "relu")}
    index = index_type(y.size, a.size, b.size)
    function = SOURCE.function("matmul", REAL=shared.TYPES[problem.dtype], INDEX=index)
    grid = (-(-n // TILE), -(-m // TILE))
    args = (y, a, b, a if bias is None else bias, pack(fields))
    function(grid, (TILE, TILE), args)


@linear.kernel("tiled", backend="cuda", rank=90, refuses=_refuses)
def forward(outs, ins, problem, work):
    """y = x @ weight^T + bias."""
    (y,), (x, weight, bias) = outs, ins
    n, i, o = problem.n, problem.i, problem.o
    _matmul(problem, y, x, weight, (n, o, i), (i, 1, i, 1), bias)


@linear_input.kernel("tiled", backend="cuda", rank=90, refuses=_refuses)
def input_gradient(outs, ins, problem, work):
    """dx = dy @ weight."""
    (dx,), (dy, weight) = outs, ins
    n, i, o = problem.n, problem.i, problem.o
    _matmul(problem, dx, dy, weight, (n, i, o), (o, 1, 1, i))


@linear_weight.kernel("tiled", backend="cuda", rank=90, refuses=_refuses)
def weight_gradient(outs, ins, problem, work):
    """dweight = dy^T @ x."""
    (dweight,), (x, dy) = outs, ins
    n, i, o = problem.n, problem.i, problem.o
    _matmul(problem, dweight, dy, x, (o, i, n), (1, o, 1, i))
