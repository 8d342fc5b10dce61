"""vectorised: 16 bytes a thread."""

from gpuconv.cuda import Source

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from .op import relu, relu_backward

SOURCE = Source(__file__)


@relu.kernel("vectorised", backend="cuda", cost=streaming(relu, VECTOR))
def forward(outs, ins, problem, work):
    """y = 0 where x <= 0, else x."""
    Launcher(SOURCE, problem).each_vector("relu", (*outs, *ins))


@relu_backward.kernel("vectorised", backend="cuda", cost=streaming(relu_backward, VECTOR))
def backward(outs, ins, problem, work):
    """dx = 0 where y <= 0, else dy."""
    Launcher(SOURCE, problem).each_vector("relu_backward", (*outs, *ins))
