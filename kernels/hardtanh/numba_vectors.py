"""vectors: hardtanh (ReLU6) and its gradient, vector by vector (gpuconv/cpu/pointwise.py)."""

from gpuconv.cpu import Pointwise
from gpuconv.cpu.formula import where
from gpuconv.registry import Op

from .._cpu_cost import streaming
from .op import hardtanh, hardtanh_backward


def _clamp(x, low, high):
    return where(x <= low, low, where(x >= high, high, x))


def _gradient(dy, y, low, high):
    return where(y <= low, 0.0, where(y >= high, 0.0, dy))


def _register(op: Op, function: Pointwise) -> None:
    def run(outs, ins, problem, work):
        function(outs, ins, *problem.bounds)

    run.__doc__ = op.reference.__doc__
    cost = streaming(op, "numba")
    op.kernel("vectors", backend="numba", precisions=("fp32",), records=True, cost=cost)(run)


_register(hardtanh, Pointwise(_clamp, 1, 2))
_register(hardtanh_backward, Pointwise(_gradient, 2, 2))
