"""rows: a row's maximum and the sum of its exponentials at once (gpuconv/cpu/rows.py).

Takes: float32 (N, K), whose rows lie in one piece. What belongs to one label of a row is NumPy's.
"""

import numpy as np

from gpuconv.cpu import Rows
from gpuconv.cpu.formula import decay, log

from .._cpu_cost import streaming
from ..softmax.numba_rows import refuses
from .op import CrossEntropyProblem, cross_entropy, cross_entropy_backward


def _forward(row):
    top = row.largest(lambda x, y: x)
    total = row.sum(lambda x, y: decay(x - top))
    return top, log(total)


def _smooth_forward(row):
    top = row.largest(lambda x, y: x)
    total = row.sum(lambda x, y: decay(x - top))
    return top, log(total), row.sum(lambda x, y: x - top)


def _backward(row, gain, smooth):
    top = row.largest(lambda x, y: x)
    total = row.fill(lambda x, y: decay(x - top))
    row.fill(lambda x, y: (y / total - smooth) * gain)


FORWARD, SMOOTH = Rows(_forward, 1, kept=2), Rows(_smooth_forward, 1, kept=3)
BACKWARD = Rows(_backward, 1, 2)


@cross_entropy.kernel(
    "rows",
    backend="numba",
    precisions=("fp32",),
    refuses=refuses,
    cost=streaming(cross_entropy, "numba", 2.5),
)
def forward(outs, ins, problem: CrossEntropyProblem, work):
    """Mean of log sum exp - (1 - s) x[target] - s mean(x), all less the maximum."""
    (loss,), (x, target), smooth = outs, ins, problem.label_smoothing
    top, log_sum, *away = (SMOOTH if smooth else FORWARD)(None, (x,)).T
    wanted = x[np.arange(len(x)), target] - top
    value = log_sum - (1 - smooth) * wanted
    if smooth:
        value -= away[0] * (smooth / problem.shape[1])
    loss[...] = value.mean()


@cross_entropy_backward.kernel(
    "rows",
    backend="numba",
    precisions=("fp32",),
    refuses=refuses,
    cost=streaming(cross_entropy_backward, "numba", 2.5),
)
def backward(outs, ins, problem: CrossEntropyProblem, work):
    """dx = dloss / positions (softmax - q)."""
    (dx,), (dloss, x, target), smooth = outs, ins, problem.label_smoothing
    gain = float(dloss) / problem.positions
    BACKWARD(dx, (x,), gain, smooth / problem.shape[1])
    dx[np.arange(len(dx)), target] -= np.float32((1 - smooth) * gain)
