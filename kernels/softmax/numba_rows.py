"""rows: a row in the cache, its maximum, its exponentials and their sum (gpuconv/cpu/rows.py).

Takes: float32 (N, K), whose rows lie in one piece.
"""

from typing import Any

from gpuconv.cpu import Rows
from gpuconv.cpu.formula import decay, log
from gpuconv.device import Device
from gpuconv.registry import Op

from .._cpu_cost import streaming
from ..elementwise import ElementwiseProblem
from .op import log_softmax, log_softmax_backward, softmax, softmax_backward


def refuses(problem: ElementwiseProblem, device: Device) -> str | None:
    """Images: a row is not in one piece."""
    return None if len(problem.shape) == 2 else "takes (N, K) only"


def _softmax(row):
    top = row.largest(lambda x, y: x)
    total = row.fill(lambda x, y: decay(x - top))
    row.fill(lambda x, y: y / total)


def _log_softmax(row):
    top = row.largest(lambda x, y: x)
    total = row.sum(lambda x, y: decay(x - top))
    shift = log(total)
    row.fill(lambda x, y: (x - top) - shift)


def _softmax_backward(row):
    inner = row.sum(lambda dy, y, dx: dy * y)
    row.fill(lambda dy, y, dx: (dy - inner) * y)


def _log_softmax_backward(row):
    total = row.sum(lambda dy, y, dx: dy)
    row.fill(lambda dy, y, dx: dy - decay(y) * total)


def _register(op: Op, trace: Any, passes: float) -> None:
    rows = Rows(trace, len(op.ins))

    def run(outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
        rows(outs[0], ins)

    run.__doc__ = op.reference.__doc__
    cost = streaming(op, "numba", passes)
    known: dict[str, Any] = {"precisions": ("fp32",), "refuses": refuses, "cost": cost}
    op.kernel("rows", backend="numba", records=True, **known)(run)


_register(softmax, _softmax, 2.5)
_register(log_softmax, _log_softmax, 2.5)
_register(softmax_backward, _softmax_backward, 1.5)
_register(log_softmax_backward, _log_softmax_backward, 2.0)
