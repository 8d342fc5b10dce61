"""direct: one thread per element."""

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from .op import relu, relu_backward

SOURCE = Source(__file__)


@relu.kernel("direct", backend="cuda", cost=streaming(relu, SCALAR))
def forward(outs, ins, problem, work):
    """y = 0 where x <= 0, else x."""
    Launcher(SOURCE, problem).each("relu", outs[0].size, *outs, *ins)


@relu_backward.kernel("direct", backend="cuda", cost=streaming(relu_backward, SCALAR))
def backward(outs, ins, problem, work):
    """dx = 0 where y <= 0, else dy."""
    Launcher(SOURCE, problem).each("relu_backward", outs[0].size, *outs, *ins)
