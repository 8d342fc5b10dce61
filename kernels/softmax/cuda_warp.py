"""warp: one warp for each row of classes."""

from math import prod
from typing import Any

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import LANES, Launcher
from ..elementwise import ElementwiseProblem
from .op import log_softmax, log_softmax_backward, softmax, softmax_backward

SOURCE = Source(__file__)


def _launch(entry: str, problem: ElementwiseProblem, *arrays: Any) -> None:
    """A warp for each image and position."""
    images, classes, *rest = problem.shape
    run = Launcher(SOURCE, problem, (classes + LANES) * prod(rest))
    shape = run.struct(classes=classes, positions=prod(rest))
    run.each_warp(entry, images * prod(rest), *arrays, shape)


@softmax.kernel("warp", backend="cuda", cost=streaming(softmax, SCALAR))
def run_softmax(outs, ins, problem, work):
    """y = exp(x - max) / sum."""
    _launch("softmax", problem, *outs, *ins)


@log_softmax.kernel("warp", backend="cuda", cost=streaming(log_softmax, SCALAR))
def run_log_softmax(outs, ins, problem, work):
    """y = x - max - log(sum of exp(x - max))."""
    _launch("log_softmax", problem, *outs, *ins)


@softmax_backward.kernel("warp", backend="cuda", cost=streaming(softmax_backward, SCALAR))
def run_softmax_backward(outs, ins, problem, work):
    """dx = y (dy - sum of dy y)."""
    _launch("softmax_backward", problem, *outs, *ins)


@log_softmax_backward.kernel("warp", backend="cuda", cost=streaming(log_softmax_backward, SCALAR))
def run_log_softmax_backward(outs, ins, problem, work):
    """dx = dy - exp(y) (sum of dy)."""
    _launch("log_softmax_backward", problem, *outs, *ins)
