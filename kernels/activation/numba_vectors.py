"""vectors: every function in one pass, its exponential a polynomial (gpuconv/cpu/formula.py)."""

from collections.abc import Callable
from typing import Any

from gpuconv.cpu import Pointwise
from gpuconv.cpu.formula import decay, expm1, where
from gpuconv.cpu.formula import sigmoid as sigmoid_of
from gpuconv.cpu.formula import tanh as tanh_of
from gpuconv.registry import Op

from .._cpu_cost import streaming
from .op import (
    elu,
    elu_backward,
    leaky_relu,
    leaky_relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)


def _register(op: Op, formula: Callable, *options: str, passes: float = 1.0) -> None:
    """A kernel of a formula of the ins and of the problem's options of these names."""
    function = Pointwise(formula, len(op.ins), len(options))

    def run(outs: tuple, ins: tuple, problem: Any, work: Any) -> None:
        function(outs, ins, *(getattr(problem, name) for name in options))

    run.__doc__ = op.reference.__doc__
    cost = streaming(op, "numba", passes)
    op.kernel("vectors", backend="numba", precisions=("fp32",), records=True, cost=cost)(run)


def _elu(x, depth, scale):
    return where(x <= 0, expm1(x) * depth, x * scale)


def _elu_backward(dy, x, depth, scale):
    return where(x <= 0, decay(x) * depth * dy, dy * scale)


def _tanh(x, scale, slope):
    return tanh_of(x * slope) * scale


def _tanh_backward(dy, y, scale, slope):
    part = y / scale
    return (1.0 - part * part) * (scale * slope) * dy


_register(leaky_relu, lambda x, slope: where(x <= 0, x * slope, x), "negative_slope")
_register(leaky_relu_backward, lambda g, x, s: where(x <= 0, g * s, g), "negative_slope")
_register(elu, _elu, "depth", "scale", passes=1.5)
_register(elu_backward, _elu_backward, "depth", "scale", passes=1.5)
_register(sigmoid, sigmoid_of, passes=1.5)
_register(sigmoid_backward, lambda dy, y: (1.0 - y) * y * dy)
_register(tanh, _tanh, "scale", "slope", passes=1.5)
_register(tanh_backward, _tanh_backward, "scale", "slope")
