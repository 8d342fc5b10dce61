"""register_tiled: a matrix product by 64 x 64 tiles, 4 x 4 results a thread, long sums split."""

from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cuda import Launcher, refuses_epilogue, typed
from .._gemm import Gemm
from .op import LinearProblem, linear, linear_input, linear_weight

SOURCE = Source(__file__)


def _gemm(op: Op, problem: LinearProblem) -> Gemm:
    """The op's product: rows and columns of its result, and what the sum runs over."""
    n, i, o = problem.n, problem.i, problem.o
    sizes = {"linear": (n, o, i), "linear_input": (n, i, o), "linear_weight": (o, i, n)}
    return Gemm(problem, *sizes[op.name]).split()


def _declared(op: Op) -> dict[str, Any]:
    def workspace(problem: LinearProblem, device: Device) -> int:
        return _gemm(op, problem).workspace

    def cost(problem: LinearProblem, device: Device) -> float:
        return _gemm(op, problem).cost(op.bytes(problem))

    return {"backend": "cuda", "workspace": workspace, "cost": cost}


def _launch(op: Op, problem: LinearProblem, out: Any, work: Any, ins: tuple) -> None:
    """The product; where its sum is in slices, they go into the workspace and are then added up."""
    a, b, bias = (*ins, None)[:3]
    gemm, split = _gemm(op, problem), work is not None
    run = Launcher(SOURCE, problem, *gemm.counts)
    plain = run.struct(has_bias=0, relu=0)
    epilogue = run.struct(has_bias=bias is not None, relu=problem.epilogue == "relu")
    rest = a if bias is None else bias, gemm.struct(run)
    target = typed(work, problem) if split else out
    run.each_block(op.name, gemm.tiles, target, a, b, *rest, plain if split else epilogue)
    if split:
        run.each("linear_total", out.size, out, target, *rest, epilogue)


@linear.kernel("register_tiled", refuses=refuses_epilogue, **_declared(linear))
def forward(outs, ins, problem, work):
    """y = x @ weight^T, bias and ReLU in the same launch."""
    _launch(linear, problem, *outs, work, ins)


@linear_input.kernel("register_tiled", **_declared(linear_input))
def input_gradient(outs, ins, problem, work):
    """dx = dy @ weight."""
    _launch(linear_input, problem, *outs, work, ins)


@linear_weight.kernel("register_tiled", **_declared(linear_weight))
def weight_gradient(outs, ins, problem, work):
    """dweight = dy^T @ x."""
    _launch(linear_weight, problem, *outs, work, ins)
