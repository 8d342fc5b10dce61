"""vectors: sums, vector by vector and on every core (gpuconv/cpu/pointwise.py)."""

from gpuconv.cpu import Pointwise

from .._cpu_cost import streaming
from .op import accumulate, add

ADD = Pointwise(lambda a, b: a + b, ins=2)


@add.kernel(
    "vectors", backend="numba", precisions=("fp32",), records=True, cost=streaming(add, "numba")
)
def run_add(outs, ins, problem, work):
    """y = a + b."""
    ADD(outs, ins)


@accumulate.kernel(
    "vectors",
    backend="numba",
    precisions=("fp32",),
    records=True,
    cost=streaming(accumulate, "numba", 1.5),
)
def run_accumulate(outs, ins, problem, work):
    """total += x."""
    ADD(outs, (*outs, *ins))
