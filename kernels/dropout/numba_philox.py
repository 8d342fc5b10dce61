"""philox: words and products in one pass, four vectors at a time (gpuconv/cpu/drawing.py)."""

from gpuconv.cpu import Drawing
from gpuconv.cpu.formula import where
from gpuconv.random import keep_threshold

from .._cpu_cost import streaming
from .op import DropoutProblem, dropout

DROPOUT = Drawing(
    lambda word, x, last, gain: where(word <= last.bits(), x * gain, x * 0.0), ins=1, scalars=2
)


@dropout.kernel(
    "philox",
    backend="numba",
    precisions=("fp32",),
    records=True,
    cost=streaming(dropout, "numba", 2.0),
)
def run(outs, ins, problem: DropoutProblem, work):
    """y = x * (gain where the unit stays, else 0); where none stays, the gain is 0 as well."""
    (y,), (x, *place) = outs, ins
    last = max(keep_threshold(problem.p) - 1, 0)
    DROPOUT(y, (x,), place, last, problem.gain)
